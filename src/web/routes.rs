//! The list as warp filters: one for each line, one for what no line is for, and nothing that rejects besides.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, Method, Request, Uri};
use tower_service::Service;
use warp::{Filter, filters::BoxedFilter, path::FullPath};

use super::{
    call::{self, Call},
    fallback,
    head::WithoutBody,
    list::{Route, list},
    path::{Matched, without_prefix},
    reply::Response,
};
use crate::{
    event::{Answered, Event},
    gateway::Gateway,
    peer::Peer,
};

/// All that the gateway serves, as one filter that never rejects.
pub type Routes = BoxedFilter<(Response,)>;

/// How the gateway is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Every address is served with and without it.
    pub path_prefix: String,
}

/// Everything that the gateway serves. `first` is tried before the gateway's own addresses (the demo's pages).
pub fn routes(gateway: Arc<Gateway>, settings: Settings, first: Option<Routes>) -> Routes {
    let shared = Arc::new(Shared { gateway, settings, list: list() });
    let own: Vec<Routes> = (0..shared.list.len()).map(|index| route(Arc::clone(&shared), index)).collect();
    let last = last(shared);
    // folded from the end, so that the first ones are found first, not at the bottom of a nest of all the others
    let all: Vec<Routes> = first.into_iter().chain(own).collect();
    all.into_iter().rev().fold(last, |rest, route| route.or(rest).unify().boxed())
}

/// The routes as a tower service, for the accept loop.
pub fn service<B>(
    routes: Routes,
) -> impl Service<Request<B>, Response = Response, Error = std::convert::Infallible, Future: Send> + Clone + Send + 'static
where
    B: http_body::Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Sync + 'static,
{
    WithPath(WithoutBody(warp::service(routes)))
}

/// Gives a path to requests without one, such as `CONNECT host:port`: warp's path filters panic there.
#[derive(Clone)]
struct WithPath<S>(S);

impl<S: Service<Request<B>>, B> Service<Request<B>> for WithPath<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if request.uri().path_and_query().is_none() {
            *request.uri_mut() = Uri::from_static("/");
        }
        self.0.call(request)
    }
}

struct Shared {
    gateway: Arc<Gateway>,
    settings: Settings,
    list: Vec<Route>,
}

/// The filter of one line of the list: "this is my request", and everything else happens inside.
fn route(shared: Arc<Shared>, index: usize) -> Routes {
    let of_filter = Arc::clone(&shared);
    warp::method()
        .and(warp::path::full())
        .and_then(move |method: Method, path: FullPath| {
            let route = &of_filter.list[index];
            let mine = method == route.method || (method == Method::HEAD && route.method == Method::GET);
            let own_path = || without_prefix(path.as_str(), &of_filter.settings.path_prefix);
            let matched = mine.then(|| route.template.matches(&own_path())).flatten();
            std::future::ready(matched.map(|matched| (method, matched)).ok_or_else(warp::reject::not_found))
        })
        .untuple_one()
        .and(warp::query::raw().or(warp::any().map(String::new)).unify())
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::body::stream())
        .then(move |method, matched, query, headers, peer, body| {
            serve(Arc::clone(&shared), index, method, matched, query, headers, peer, body)
        })
        .boxed()
}

#[expect(clippy::too_many_arguments, reason = "a filter hands over each part of the request as one")]
async fn serve(
    shared: Arc<Shared>,
    index: usize,
    method: Method,
    matched: Matched,
    query: String,
    headers: HeaderMap,
    peer: Option<Peer>,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Response {
    let started = Instant::now();
    let route = &shared.list[index];
    let style = route.template.style();
    let address = peer.as_ref().and_then(|peer| peer.address);
    let name = matched.realm.unwrap_or_default();
    let reply = match shared.gateway.realm(&name) {
        None => fallback::unknown_realm(style),
        Some(live) => {
            let body = call::read(body).await;
            let now = shared.gateway.parts().clock.now();
            let handle = matched.handle;
            let (gateway, method) = (Arc::clone(&shared.gateway), method.clone());
            let call = Call { gateway, live, style, method, handle, query, headers, body, peer, now };
            (route.serve)(call).await
        }
    };
    let known = reply.outcome != fallback::UNKNOWN_REALM;
    shared.gateway.parts().events.tell(Event::Answered(Answered {
        method: method.as_str(),
        route: &route.template.text,
        status: reply.response.status().as_u16(),
        took: started.elapsed(),
        peer: address,
        realm: known.then_some(&name),
        client: reply.client.as_deref(),
        outcome: reply.outcome,
        cause: reply.cause.as_deref(),
    }));
    reply.response
}

/// The last route: what no other is for.
fn last(shared: Arc<Shared>) -> Routes {
    warp::method()
        .and(warp::path::full())
        .and(warp::ext::optional::<Peer>())
        .map(move |method: Method, path: FullPath, peer: Option<Peer>| {
            let path = without_prefix(path.as_str(), &shared.settings.path_prefix);
            let reply = fallback::answer(&shared.gateway, &shared.list, &path);
            shared.gateway.parts().events.tell(Event::Answered(Answered {
                method: if reply.outcome == "method_not_allowed" { name_of(&method) } else { "-" },
                route: "-",
                status: reply.response.status().as_u16(),
                took: std::time::Duration::ZERO,
                peer: peer.and_then(|peer| peer.address),
                realm: None,
                client: None,
                outcome: reply.outcome,
                cause: None,
            }));
            reply.response
        })
        .boxed()
}

/// As in the access log: a method that is none of HTTP's own is a text from outside.
fn name_of(method: &Method) -> &str {
    let known = [&Method::GET, &Method::HEAD, &Method::POST, &Method::PUT, &Method::DELETE];
    let rarer = [&Method::OPTIONS, &Method::PATCH, &Method::TRACE, &Method::CONNECT];
    if known.contains(&method) || rarer.contains(&method) { method.as_str() } else { "-" }
}
