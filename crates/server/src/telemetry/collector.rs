//! The way to the collector, with the HTTP client that the program has anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::redirect;
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::TelemetryError;
use crate::client::trust;

/// A client of the collector. It runs on the runtime of the server, whoever waits for it.
#[derive(Debug)]
pub(super) struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    /// Whether the last batch did not arrive: that is news once.
    is_away: Arc<AtomicBool>,
}

impl Collector {
    pub(super) fn new(runtime: Handle, patience: Duration) -> Result<Self, TelemetryError> {
        let tls = trust::system_roots();
        let tls = tls.map_err(|error| TelemetryError::Client(error.to_string()))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .timeout(patience)
            .no_proxy()
            .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            http: http.map_err(|error| TelemetryError::Client(error.to_string()))?,
            runtime,
            is_away: Arc::default(),
        })
    }

    fn note(&self, reason: Option<String>) {
        let was_away = self.is_away.swap(reason.is_some(), Ordering::Relaxed);
        match reason {
            Some(reason) if !was_away => {
                warn!(reason, "Traces are lost: the collector does not take them");
            }
            None if was_away => info!("The collector takes traces again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sending = async move {
            let answer = http.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        };
        let sent = self.runtime.spawn(sending).await;
        let answer = sent.unwrap_or_else(|gone| Err(gone.into()));
        self.note(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(innermost(&**error)),
        });
        answer
    }
}

/// The first cause, which says most.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
