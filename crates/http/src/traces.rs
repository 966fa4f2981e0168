//! Where a request belongs to in a trace.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use tracing::Span;

/// Puts requests into traces, if anybody collects them.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Join>>);

type Join = dyn Fn(&Span, &HeaderMap) -> Joined + Send + Sync;

/// The trace that a request was put into.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Joined {
    /// Its id, for log lines.
    pub trace: String,
    /// What the client is told of it, in the header `traceresponse`.
    pub response: HeaderValue,
}

impl Traces {
    /// Nobody collects traces.
    pub fn none() -> Self {
        Self::default()
    }

    /// `join` puts the span of a request into the trace that its headers name, or into a new one.
    pub fn new(join: impl Fn(&Span, &HeaderMap) -> Joined + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(join)))
    }

    /// Puts a request into a trace.
    pub(crate) fn join(&self, span: &Span, headers: &HeaderMap) -> Option<Box<Joined>> {
        let join = self.0.as_ref()?;
        let joined = join(span, headers);
        span.record("trace.id", joined.trace.as_str());
        Some(Box::new(joined))
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traces").field(&self.0.is_some()).finish()
    }
}
