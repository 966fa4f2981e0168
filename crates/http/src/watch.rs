//! What a request is watched with: it is counted when it ends, also when its client has gone.

use axum::extract::MatchedPath;
use axum::http::Method;
use tokio::time::Instant;
use vestibule_service::Service;

/// A request that is under way. It may be so for minutes, with thousands of others: this is small.
pub(crate) struct Watch {
    service: Service,
    method: Method,
    route: Option<MatchedPath>,
    begun: Instant,
    status: Option<u16>,
}

impl Watch {
    pub(crate) fn begin(service: Service, method: Method, route: Option<MatchedPath>) -> Self {
        service.metrics().request_began();
        Self {
            service,
            method,
            route,
            begun: Instant::now(),
            status: None,
        }
    }

    /// It is answered with this status.
    pub(crate) fn answered(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The route and not the path: a path may hold a name.
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        let (method, took) = (self.method.as_str(), self.begun.elapsed());
        let metrics = self.service.metrics();
        metrics.request_ended(method, route, self.status, took);
    }
}
