//! The management listener: health and metrics. It has no realm and no client; it is not for the public.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::StatusCode;
use serde_json::json;
use warp::Filter;

use super::{
    reply::{self, with_type},
    routes::Routes,
};
use crate::{
    gateway::Gateway,
    oauth::{Code, Error},
};

/// Whether the gateway takes requests; false while it stops.
pub type Ready = Arc<AtomicBool>;

/// `/health/live`, `/health/ready`, `/metrics`.
pub fn routes(gateway: Arc<Gateway>, ready: Ready) -> Routes {
    let live = warp::path!("health" / "live").map(|| health(true));
    let ready = warp::path!("health" / "ready").map(move || health(ready.load(Ordering::SeqCst)));
    let metrics = warp::path!("metrics").then(move || {
        let gateway = Arc::clone(&gateway);
        async move {
            let text = gateway.parts().events.metrics(&gateway.pending().await);
            with_type(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
        }
    });
    let nothing = || reply::error(&Error::new(Code::NotFound, "There is nothing at this address"), None).response;
    let found = live.boxed().or(ready.boxed()).unify().or(metrics.boxed()).unify();
    let get = warp::method().and(found).map(|method: http::Method, response| {
        if method == http::Method::GET || method == http::Method::HEAD {
            return response;
        }
        let error = Error::new(Code::MethodNotAllowed, "This address takes another method");
        let mut response = reply::error(&error, None).response;
        response.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        response
    });
    get.boxed().or(warp::any().map(nothing).boxed()).unify().boxed()
}

fn health(up: bool) -> super::Response {
    let status = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    reply::private_json(status, &json!({"status": if up { "UP" } else { "DOWN" }}))
}
