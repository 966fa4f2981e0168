//! What is done around routes.
//!
//! A request may wait for minutes until somebody looks at a phone, with thousands of others. What
//! is done before the route is called is therefore done at once, and what waits keeps nothing of
//! the request.

use std::convert::Infallible;
use std::future::Future;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{Route, post};
use futures_util::FutureExt as _;
use tower::layer::layer_fn;
use tower::{Layer, Service, service_fn};
use utoipa_axum::router::UtoipaMethodRouter;

use crate::App;

/// A layer of a router. `around` is called with every request and the route that it goes to; what
/// it returns is the answer.
pub(crate) fn around<A>(
    around: impl Fn(Request, Route) -> A + Clone + Send + Sync + 'static,
) -> impl Layer<
    Route,
    Service = impl Service<
        Request,
        Response = Response,
        Error = Infallible,
        Future = impl Future<Output = Result<Response, Infallible>> + Send + 'static,
    > + Clone
              + Send
              + Sync
              + 'static,
> + Clone
+ Send
+ Sync
+ 'static
where
    A: Future<Output = Response> + Send + 'static,
{
    layer_fn(move |route: Route| {
        let around = around.clone();
        service_fn(move |request| around(request, route.clone()).map(Ok))
    })
}

/// A handler that takes its requests as they are, and whose answer may be waited for for long.
/// Others keep their request until then.
#[derive(Clone)]
struct Patient<H>(H);

/// The route of a handler, with its document, but so that what waits keeps nothing of the request.
pub(crate) fn patient<H, A>(
    (schemas, paths, _): UtoipaMethodRouter<App>,
    handler: H,
) -> UtoipaMethodRouter<App>
where
    H: FnOnce(State<App>, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    (schemas, paths, post(Patient(handler)))
}

impl<H, A, S> Handler<(), S> for Patient<H>
where
    H: FnOnce(State<S>, Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
    S: 'static,
{
    type Future = A;

    fn call(self, request: Request, state: S) -> A {
        (self.0)(State(state), request)
    }
}

/// What a route answers.
pub(crate) fn answer(
    mut route: Route,
    request: Request,
) -> impl Future<Output = Response> + Send + 'static {
    route
        .call(request)
        .map(|answer| answer.unwrap_or_else(|never| match never {}))
}
