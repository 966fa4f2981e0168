//! Traces for a collector, by OTLP over HTTP (protobuf), if the settings name one.
//!
//! What leaves the program passes a list of what may: a span has a name of ours or the template of
//! a route, and a few attributes. Whatever else a span may ever hold stays here.

mod collector;
mod parent;
mod permitted;

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::{Metadata, Span, debug};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};
use vestibule_http::{Joined, REQUEST_TARGET, Traces};
use vestibule_service::TRACE;

use collector::Collector;
use permitted::Permitted;

/// How long the collector is waited for, each time and at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The exporter cannot be made.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The HTTP client cannot be made.
    #[error("traces cannot be sent: {0}")]
    Client(String),
}

/// What collects spans and sends them.
#[derive(Debug)]
pub struct Telemetry(SdkTracerProvider);

/// What turns spans of the log into those of traces.
pub type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

impl Telemetry {
    /// Sends traces to the collector at this base URL; the requests run on this runtime.
    ///
    /// # Errors
    /// When that cannot be set up. Whether the collector is there shows later.
    pub fn start(base: &Url, runtime: Handle) -> Result<Self, TelemetryError> {
        let endpoint = format!("{}/v1/traces", base.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(runtime, PATIENCE)?)
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder()
            .with_service_name("vestibule")
            .with_attribute(version)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Permitted(exporter))
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What has to be told of spans.
    pub fn layer(&self) -> TraceLayer {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("vestibule"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_traced))
            .boxed()
    }

    /// What puts requests into the traces that they name.
    pub fn traces() -> Traces {
        Traces::new(join)
    }

    /// Sends what is left, and ends.
    pub async fn shut_down(self) {
        let ending = move || self.0.shutdown_with_timeout(PATIENCE);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(ending).await {
            debug!(%error, "The last traces are lost");
        }
    }
}

/// Spans of requests, and those that are for traces alone. No lines of the log: what they say is
/// there, and not elsewhere.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && [REQUEST_TARGET, TRACE].contains(&metadata.target())
}

/// Puts the span of a request into the trace that its `traceparent` names, or into a new one.
fn join(span: &Span, headers: &HeaderMap) -> Joined {
    if let Some(parent) = parent::named(headers) {
        let parent = Context::new().with_remote_span_context(parent);
        if span.set_parent(parent).is_err() {
            debug!("A request begins a trace of its own: its span has begun already");
        }
    }
    let own = span.context().span().span_context().clone();
    let (trace, id) = (own.trace_id(), own.span_id());
    let response = format!("00-{trace}-{id}-{:02x}", own.trace_flags());
    Joined {
        trace: trace.to_string(),
        response: HeaderValue::try_from(response).unwrap_or(HeaderValue::from_static("")),
    }
}
