//! HEAD is answered as GET would be, without the body (RFC 9110 9.3.2). hyper sees to that over HTTP/1.1 alone: over HTTP/2
//! it sends what it is given, which clients take for an error of the protocol.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::Map};
use http::{Method, Request, header};
use http_body::Body;
use tower_service::Service;

use super::reply::Response;

/// Takes the bodies from the answers to HEAD.
#[derive(Clone)]
pub(super) struct WithoutBody<S>(pub(super) S);

type Answer = Result<Response, Infallible>;

impl<S: Service<Request<B>, Response = Response, Error = Infallible>, B> Service<Request<B>> for WithoutBody<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Map<S::Future, fn(Answer) -> Answer>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let after = if request.method() == Method::HEAD { without_body } else { |answer| answer };
        self.0.call(request).map(after)
    }
}

/// The headers stay as they are, with the length that the body would have.
fn without_body(answer: Answer) -> Answer {
    answer.map(|response| {
        let (mut head, body) = response.into_parts();
        if let Some(length) = body.size_hint().exact() {
            head.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
        }
        Response::from_parts(head, Bytes::new().into())
    })
}
