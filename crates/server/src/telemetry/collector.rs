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

/// Octets of an answer. A collector that takes what it gets has next to nothing to say.
const LONGEST_ANSWER: usize = 64 << 10;

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
            Ok::<_, HttpError>(response.body(body(answer).await?)?)
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

/// Reads an answer, if that has an end.
async fn body(mut answer: reqwest::Response) -> Result<Bytes, HttpError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > LONGEST_ANSWER {
            return Err("its answer is too long".into());
        }
    }
    Ok(body.into())
}

/// The first cause, which says most.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Far more than the system holds for a reader that is slow.
    const TOO_MUCH: usize = 256 << 20;

    /// Answers one request with this head and then octets, until nobody takes them any more; how
    /// many were taken.
    async fn answer(listener: TcpListener, head: &'static str, octets: usize) -> usize {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut taken = 0;
        while taken < octets {
            let part = &[b'x'; 4096][..(octets - taken).min(4096)];
            if stream.write_all(part).await.is_err() {
                break;
            }
            taken += part.len();
        }
        taken
    }

    /// What the client makes of an answer, and how much of it was taken.
    async fn ask(head: &'static str, octets: usize) -> (Result<usize, String>, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let answering = tokio::spawn(answer(listener, head, octets));
        let minute = Duration::from_mins(1);
        let collector = Collector::new(Handle::current(), minute).unwrap();
        let request = Request::post(url).body(Bytes::new()).unwrap();
        let answer = collector.send_bytes(request).await;
        let length = answer.map(|answer| answer.body().len());
        (
            length.map_err(|error| error.to_string()),
            answering.await.unwrap(),
        )
    }

    #[tokio::test]
    async fn an_answer_has_an_end() {
        let short = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 65536\r\n\r\n";
        assert_eq!(ask(short, LONGEST_ANSWER).await, (Ok(65536), 65536));
        let endless = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let (answer, taken) = ask(endless, TOO_MUCH).await;
        assert_eq!(answer, Err("its answer is too long".to_owned()));
        assert!(taken < TOO_MUCH, "{taken}");
    }
}
