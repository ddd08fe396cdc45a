//! A request as the demo's programs see it, and the routes that take one. A route answers every method on its path, so
//! nothing is rejected but "this is not my path"; the body is read with a limit.

use std::{pin::pin, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cookie::Cookie;
use futures_util::{Stream, StreamExt, future::BoxFuture};
use http::{HeaderMap, Method, header};
use tokio::net::TcpListener;
use url::{Position, Url};
use warp::{Filter, filters::BoxedFilter, path::FullPath, reply::Response};

use super::reply;
use crate::oauth::{Code, Error, Params};

/// Routes that answer what they match.
pub type Routes = BoxedFilter<(Response,)>;

/// Bytes of a form; an authorization request posted as a form is the largest.
const MOST: usize = 16 * 1024;

pub(super) struct Call {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    method: Method,
    /// Absent where it was too large or did not arrive.
    body: Option<Bytes>,
}

/// `methods` as they stand in `Allow`, such as `GET, HEAD`.
pub(super) fn route<S: Send + Sync + 'static>(
    state: &Arc<S>,
    path: BoxedFilter<()>,
    methods: &'static str,
    answer: fn(Arc<S>, Call) -> BoxFuture<'static, Response>,
) -> Routes {
    let state = Arc::clone(state);
    path.and(call())
        .then(move |call: Call| {
            if methods.split(", ").any(|method| method == call.method.as_str()) {
                answer(Arc::clone(&state), call)
            } else {
                Box::pin(async move { reply::method_not_allowed(methods) })
            }
        })
        .boxed()
}

/// This very path.
pub(super) fn at(path: &'static str) -> BoxedFilter<()> {
    warp::path::full()
        .and_then(move |full: FullPath| async move {
            if full.as_str() == path { Ok(()) } else { Err(warp::reject::not_found()) }
        })
        .untuple_one()
        .boxed()
}

pub(super) fn any_of(routes: impl IntoIterator<Item = Routes>) -> Routes {
    let nothing = warp::any().and_then(|| async { Err::<Response, _>(warp::reject::not_found()) }).boxed();
    routes.into_iter().fold(nothing, |routes, route| routes.or(route).unify().boxed())
}

/// `routes` for requests whose `Host` is that of `base`; any other is answered 421, whatever its path. A web page elsewhere
/// whose name was made to resolve to this machine (DNS rebinding) gets nothing.
pub fn only_at(base: &Url, routes: Routes) -> Routes {
    let authority = base[Position::BeforeHost..Position::AfterPort].to_owned();
    let address: Arc<str> = base.as_str().into();
    let is_ours = warp::host::exact(&authority).map(|| true).or(warp::any().map(|| false)).unify();
    is_ours
        .and(warp::header::headers_cloned())
        .and_then(move |is_ours: bool, headers: HeaderMap| {
            let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            let is_browser = accept.is_some_and(|accept| accept.contains("text/html"));
            let answer = (!is_ours).then(|| reply::misdirected(&address, is_browser));
            std::future::ready(answer.ok_or_else(warp::reject::not_found))
        })
        .or(routes)
        .unify()
        .boxed()
}

/// Serves for ever, one connection beside the other.
pub async fn serve(listener: TcpListener, routes: Routes) {
    warp::serve(routes).incoming(listener).run().await;
}

fn call() -> BoxedFilter<(Call,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(|method, path: FullPath, query, headers, body| async move {
            Call { method, path: path.as_str().to_owned(), query, headers, body: read(body).await }
        })
        .boxed()
}

async fn read<B: Buf>(stream: impl Stream<Item = Result<B, warp::Error>>) -> Option<Bytes> {
    let mut stream = pin!(stream);
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.ok()?;
        if body.len() + chunk.remaining() > MOST {
            return None;
        }
        body.put(chunk);
    }
    Some(body.freeze())
}

impl Call {
    pub(super) fn is_post(&self) -> bool {
        self.method == Method::POST
    }

    /// The form in the body.
    pub(super) fn form(&self) -> Result<Params, Error> {
        let kind = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let kind: Option<mime::Mime> = kind.parse().ok();
        if kind.is_none_or(|kind| kind.essence_str() != mime::APPLICATION_WWW_FORM_URLENCODED) {
            return Err(Error::invalid_request("The request is not a form"));
        }
        let too_large = || Error::new(Code::InvalidRequest, "The form is too large").with_status(413);
        Params::parse(self.body.as_ref().ok_or_else(too_large)?)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let header = self.header(header::COOKIE.as_str())?;
        let cookie = Cookie::split_parse(header).filter_map(Result::ok).find(|cookie| cookie.name() == name)?;
        Some(cookie.value().to_owned())
    }

    /// Whether a page of ours sent this form, as far as the browser says (browsers without `Sec-Fetch-Site` say nothing).
    pub(super) fn is_from_our_page(&self) -> bool {
        self.header("sec-fetch-site").is_none_or(|site| site == "same-origin")
    }
}
