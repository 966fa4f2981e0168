//! A client of the REST API, as far as signing in needs it.

mod answer;
pub mod known_servers;
pub mod trust;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vestibule_engine::Secret;

pub(crate) use answer::printable;
pub use answer::{Authorized, Challenge, Kind, Names, Refusal, Session};
use trust::{Rule, Verdict, Verifier};

/// The oldest and the newest version of the API that this client speaks.
const VERSIONS: std::ops::RangeInclusive<u8> = 18..=23;
/// How long an answer may take, unless somebody has to be waited for.
const PATIENCE: Duration = Duration::from_secs(40);
/// The longest answer that is read; the longest that there is holds one picture.
const LONGEST: usize = 1 << 20;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// The host and the port.
        server: String,
        /// The innermost reason.
        reason: String,
    },
    /// Somebody answers who is not who they should be.
    #[error("the certificate of {server} is not trusted")]
    Untrusted {
        /// The host and the port.
        server: String,
        /// What the verifier saw.
        verdict: Verdict,
    },
    /// The server says no.
    #[error("{0}")]
    Refused(Refusal),
    /// The server does not speak this API.
    #[error("{server} does not answer as an MFA controller does ({what}): is the URL right?")]
    Garbled {
        /// The host and the port.
        server: String,
        /// What is odd.
        what: String,
    },
    /// No client can be made.
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
}

/// A connection to one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    version: u8,
    verifier: Arc<Verifier>,
}

impl Client {
    /// A client of the server with this base URL.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn new(base: Url, rule: Rule) -> Result<Self, ClientError> {
        let direct = is_loopback(&base);
        Self::with(base, rule, direct)
    }

    /// A client that asks the server itself, whatever proxies the environment names.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn direct(base: Url, rule: Rule) -> Result<Self, ClientError> {
        Self::with(base, rule, true)
    }

    fn with(base: Url, rule: Rule, direct: bool) -> Result<Self, ClientError> {
        let verifier = Arc::new(Verifier::new(rule));
        let setup = |error: &dyn std::fmt::Display| ClientError::Setup(error.to_string());
        let tls = verifier.client_config().map_err(|error| setup(&error))?;
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")));
        if direct {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| setup(&error))?;
        Ok(Self {
            http,
            base,
            version: *VERSIONS.end(),
            verifier,
        })
    }

    /// The host and the port.
    pub fn server(&self) -> String {
        server_of(&self.base)
    }

    /// Where one can sign in, and what is said before.
    ///
    /// # Errors
    /// As every call.
    pub async fn names(&mut self) -> Result<Names, ClientError> {
        self.call(Method::GET, "identity-providers/names", Call::default())
            .await
    }

    /// The first factor.
    ///
    /// # Errors
    /// As every call.
    pub async fn authenticate(&mut self, body: &impl Serialize) -> Result<Session, ClientError> {
        self.call(
            Method::POST,
            "authentication",
            Call {
                body: Some(json(body)?),
                ..Call::default()
            },
        )
        .await
    }

    /// Asks for administration. `None` when a second factor is due.
    ///
    /// # Errors
    /// As every call.
    pub async fn authorize(
        &mut self,
        token: &Secret<String>,
    ) -> Result<Option<Authorized>, ClientError> {
        let call = Call {
            token: Some(token),
            ..Call::default()
        };
        match self.call(Method::GET, "authorization", call).await {
            Ok(authorized) => Ok(Some(authorized)),
            Err(ClientError::Refused(refusal))
                if refusal.status == StatusCode::PRECONDITION_FAILED =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts the second factor, waiting for it at most that long: a server behind may have to be
    /// asked. The password is for RADIUS servers that want it.
    ///
    /// # Errors
    /// As every call.
    pub async fn initialize(
        &mut self,
        token: &Secret<String>,
        password: &Secret<String>,
        patience: Duration,
    ) -> Result<Challenge, ClientError> {
        let body = Initialize {
            user_password: password.expose(),
        };
        let call = Call {
            token: Some(token),
            body: Some(json(&body)?),
            patience,
        };
        self.call(Method::POST, "authentication/otp/initialize", call)
            .await
    }

    /// Finishes the second factor, waiting for it at most that long.
    ///
    /// # Errors
    /// As every call.
    pub async fn finish(
        &mut self,
        token: &Secret<String>,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<Session, ClientError> {
        let call = Call {
            token: Some(token),
            body: Some(json(body)?),
            patience,
        };
        self.call(Method::POST, "authentication/otp", call).await
    }

    /// The status of a path outside the API.
    ///
    /// # Errors
    /// As every call.
    pub async fn probe(&self, path: &str, patience: Duration) -> Result<StatusCode, ClientError> {
        let mut url = self.base.clone();
        url.set_path(path);
        let sent = self.http.get(url).timeout(patience).send().await;
        sent.map(|response| response.status())
            .map_err(|error| self.failed(&error))
    }

    /// Calls, and once more when the server speaks another version that we know.
    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        call: Call<'_>,
    ) -> Result<T, ClientError> {
        let (mut status, mut body) = self.send(&method, path, &call).await?;
        if status == StatusCode::NOT_ACCEPTABLE
            && let Some(newest) = answer::newest_version(body.expose())
            && VERSIONS.contains(&newest)
            && newest != self.version
        {
            self.version = newest;
            (status, body) = self.send(&method, path, &call).await?;
        }
        if !status.is_success() {
            return Err(ClientError::Refused(Refusal::read(status, body.expose())));
        }
        // Its message may repeat a part of the answer, in which there are secrets.
        serde_json::from_slice(body.expose()).map_err(|error| ClientError::Garbled {
            server: self.server(),
            what: format!(
                "unexpected JSON at line {}, column {}",
                error.line(),
                error.column()
            ),
        })
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        call: &Call<'_>,
    ) -> Result<(StatusCode, Secret<Vec<u8>>), ClientError> {
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let accept = format!("application/vnd.appgate.peer-v{}+json", self.version);
        let mut request = self
            .http
            .request(method.clone(), url)
            .header(ACCEPT, accept)
            .timeout(call.patience);
        if let Some(token) = call.token {
            let bearer = Secret::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(bearer.expose())
                .map_err(|_| self.garbled("a token that is no text"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.expose().clone());
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.failed(&error))?
        {
            if body.len() + chunk.len() > LONGEST {
                return Err(self.garbled("an answer without end"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, Secret::new(body)))
    }

    fn garbled(&self, what: &str) -> ClientError {
        ClientError::Garbled {
            server: self.server(),
            what: what.to_owned(),
        }
    }

    fn failed(&self, error: &reqwest::Error) -> ClientError {
        if let Some(verdict) = self.verifier.distrust() {
            return ClientError::Untrusted {
                server: self.server(),
                verdict,
            };
        }
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            reason = inner.to_string();
            source = inner.source();
        }
        if error.is_timeout() {
            "no answer in time".clone_into(&mut reason);
        }
        ClientError::Unreachable {
            server: self.server(),
            reason,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Initialize<'a> {
    user_password: &'a str,
}

/// What a call sends.
struct Call<'a> {
    token: Option<&'a Secret<String>>,
    body: Option<Secret<Vec<u8>>>,
    patience: Duration,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            token: None,
            body: None,
            patience: PATIENCE,
        }
    }
}

fn json(body: &impl Serialize) -> Result<Secret<Vec<u8>>, ClientError> {
    serde_json::to_vec(body)
        .map(Secret::new)
        .map_err(|error| ClientError::Setup(error.to_string()))
}

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The host and the port of a URL, as one writes and pins them.
pub fn server_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}
