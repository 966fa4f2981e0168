//! What a request is watched with: it is counted when it ends, also when its client has gone.

use axum::extract::MatchedPath;
use axum::http::Method;
use tokio::time::Instant;
use vestibule_service::{Origin, Service};

/// A request that is under way. It may be so for minutes, with thousands of others: this is small.
pub(crate) struct Watch {
    service: Service,
    origin: Origin,
    method: Method,
    route: Option<MatchedPath>,
    begun: Instant,
    status: Option<u16>,
}

impl Watch {
    pub(crate) fn begin(
        service: Service,
        origin: Origin,
        method: Method,
        route: Option<MatchedPath>,
    ) -> Self {
        service.metrics().request_began();
        Self {
            service,
            origin,
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
        let fault_is_ours = self.status.is_some_and(|status| status >= 500);
        self.service.end_request(self.origin, fault_is_ours);
    }
}
