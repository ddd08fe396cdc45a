//! How the upstream is asked: through the one outbound client (I8), within limits, and with one event for each call.

use std::{fmt::Display, future::Future, pin::Pin, sync::Arc};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use url::Url;

use super::Fault;
use crate::{
    clock::Clock,
    event::{Event, Events},
    http::{self, Answer, Http, Limit},
};

/// Asks on behalf of one realm. Cheap to clone.
#[derive(Clone)]
pub(super) struct Caller {
    pub realm: Arc<str>,
    pub http: Http,
    pub events: Events,
    pub clock: Clock,
    pub limit: Limit,
}

impl Caller {
    pub(super) fn new(realm: Arc<str>, http: Http, events: Events, clock: Clock) -> Self {
        Self { realm, http, events, clock, limit: Limit::API }
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, Fault> {
        Ok(self.http.send(request, self.limit).await?)
    }

    /// A public document. Any status but 200 is a fault.
    pub(super) async fn document<T: DeserializeOwned>(&self, url: Url) -> Result<T, Fault> {
        let answer = self.send(self.http.get(url).header("accept", "application/json")).await?;
        Ok(ok(answer)?.json()?)
    }

    /// Says what came of one call.
    pub(super) fn tell<T, F: Display>(&self, operation: &'static str, result: &Result<T, F>) {
        let fault = result.as_ref().err().map(ToString::to_string);
        self.events.tell(Event::Upstream { realm: &self.realm, operation, fault: fault.as_deref() });
    }
}

/// The answer, if its status is 200.
pub(super) fn ok(answer: Answer) -> Result<Answer, http::Fault> {
    if answer.status == ::http::StatusCode::OK { Ok(answer) } else { Err(http::Fault::Status(answer.status.as_u16())) }
}

/// The body of an answer about a person. A fault says where it is, but not in serde's own words: those repeat values.
pub(super) fn private_json<T: DeserializeOwned>(answer: &Answer) -> Result<T, Fault> {
    serde_json::from_slice(&answer.body).map_err(|error| not_understood(&error))
}

pub(super) fn not_understood(error: &serde_json::Error) -> Fault {
    Fault::new(format!(
        "the answer is not what the protocol says: {:?} error at line {}, column {}",
        error.classify(),
        error.line(),
        error.column()
    ))
}

/// The library's requests, sent as all others are.
impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = http::Fault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, http::Fault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)
                .map_err(|_| http::Fault::Setup("the request has no valid address".into()))?;
            let request = RequestBuilder::from_parts(self.http.blank().clone(), request);
            let answer = self.http.send(request, self.limit).await?;
            let mut response = HttpResponse::new(answer.body.to_vec());
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}
