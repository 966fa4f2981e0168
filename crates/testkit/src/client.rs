//! A client of the API, as existing ones are: the same header, the same bodies.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use vestibule_engine::Timestamp;

use crate::authenticator::Authenticator;
use crate::planted::Planted;

/// The newest version of the API.
pub const ACCEPT: &str = "application/vnd.appgate.peer-v23+json";
/// A device.
pub const DEVICE: &str = "4c07bc67-57ea-42dd-b702-c2d6c45419fc";

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    origin: String,
    http: reqwest::Client,
    planted: Planted,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The token in it.
    ///
    /// # Panics
    /// When it is no 200 with a token.
    #[track_caller]
    pub fn token(&self) -> String {
        let token = self
            .json()
            .get("token")
            .and_then(Value::as_str)
            .map(str::to_owned);
        assert_eq!(self.status, 200, "{}", self.text);
        token.expect("a token")
    }

    /// Checks the status.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Client {
    /// A client of the server at this origin, which adds all that is secret to `planted`.
    pub(crate) fn new(origin: &str, planted: &Planted) -> Self {
        // Another test of this process may have chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build();
        Self {
            origin: origin.to_owned(),
            http: http.expect("a client"),
            planted: planted.clone(),
        }
    }

    /// The same client, of another port.
    pub fn at(&self, origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            ..self.clone()
        }
    }

    /// `http://host:port`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A call, to be completed and sent by [`Client::send`].
    ///
    /// # Panics
    /// When the method is none.
    pub fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.http
            .request(method, format!("{}{path}", self.origin))
            .header("accept", ACCEPT)
    }

    /// Something secret, which is remembered as such.
    fn planted<'a>(&self, secret: &'a str) -> &'a str {
        self.planted.plant(secret);
        secret
    }

    /// Sends a call.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn try_send(call: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = call.send().await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await?,
        })
    }

    /// Sends a call.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn send(call: RequestBuilder) -> Answer {
        Self::try_send(call).await.expect("an answer")
    }

    /// `GET` with a token.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        Self::send(self.call("GET", path).bearer_auth(self.planted(token))).await
    }

    /// `DELETE` with a token.
    pub async fn delete(&self, path: &str, token: &str) -> Answer {
        Self::send(self.call("DELETE", path).bearer_auth(self.planted(token))).await
    }

    /// `POST` with a token.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        Self::send(
            self.call("POST", path)
                .bearer_auth(self.planted(token))
                .json(body),
        )
        .await
    }

    /// `PUT` with a token.
    pub async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        Self::send(
            self.call("PUT", path)
                .bearer_auth(self.planted(token))
                .json(body),
        )
        .await
    }

    /// `POST /authentication` from [`DEVICE`].
    pub async fn sign_in(&self, username: &str, password: &str) -> Answer {
        self.sign_in_from(username, password, DEVICE).await
    }

    /// `POST /authentication`.
    pub async fn sign_in_from(&self, username: &str, password: &str, device: &str) -> Answer {
        let body = json!({
            "providerName": "local", "username": username,
            "password": self.planted(password), "deviceId": device,
        });
        Self::send(self.call("POST", "/admin/authentication").json(&body)).await
    }

    /// `POST /authentication/otp/initialize`.
    pub async fn initialize(&self, partial: &str) -> Answer {
        self.post("/admin/authentication/otp/initialize", partial, &json!({}))
            .await
    }

    /// `POST /authentication/otp`.
    pub async fn otp(&self, partial: &str, otp: &str) -> Answer {
        self.post("/admin/authentication/otp", partial, &json!({ "otp": otp }))
            .await
    }

    /// `POST /authentication/otp/initialize` with the user's password.
    pub async fn initialize_with(&self, partial: &str, user_password: &str) -> Answer {
        let body = json!({ "userPassword": self.planted(user_password) });
        self.post("/admin/authentication/otp/initialize", partial, &body)
            .await
    }

    /// `POST /authentication/otp` with the state of a challenge.
    pub async fn otp_with(&self, partial: &str, otp: &str, state: &str) -> Answer {
        let body = json!({ "otp": otp, "state": state });
        self.post("/admin/authentication/otp", partial, &body).await
    }

    /// `POST /authentication/otp` that goes on by itself; its client hangs up when it is aborted.
    pub fn otp_in_flight(&self, partial: &str, otp: &str) -> JoinHandle<Answer> {
        let (client, partial, otp) = (self.clone(), partial.to_owned(), otp.to_owned());
        tokio::spawn(async move { client.otp(&partial, &otp).await })
    }

    /// `GET /authorization`.
    pub async fn authorize(&self, token: &str) -> Answer {
        self.get("/admin/authorization", token).await
    }

    /// Sets an authenticator up with the seed that the bearer of a partial token is shown.
    ///
    /// # Panics
    /// When no seed is shown.
    pub async fn set_up(&self, partial: &str) -> Authenticator {
        let shown = self.initialize(partial).await;
        let secret = shown
            .json()
            .get("secret")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let secret = secret.unwrap_or_else(|| panic!("a seed, not {}", shown.text));
        Authenticator::from_base32(self.planted(&secret))
    }

    /// Signs a user in for the first time: the authenticator, and the verified token. The code of
    /// the present step is spent then.
    pub async fn enrol(
        &self,
        username: &str,
        password: &str,
        now: Timestamp,
    ) -> (Authenticator, String) {
        let partial = self.sign_in(username, password).await.token();
        let authenticator = self.set_up(&partial).await;
        let verified = self.otp(&partial, &authenticator.code(now)).await.token();
        (authenticator, verified)
    }

    /// Makes a user with this password.
    pub async fn add_user(&self, admin: &str, name: &str, password: &str) -> Answer {
        let user = json!({
            "name": name, "firstName": "F", "lastName": "L",
            "password": self.planted(password),
        });
        self.post("/admin/local-users", admin, &user).await
    }

    /// Makes a provider; its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn add_provider(&self, admin: &str, provider: &Value) -> String {
        let made = self.post("/admin/mfa-providers", admin, provider).await;
        let id = made.is(200).json();
        let id = id.get("id").and_then(Value::as_str);
        id.expect("an id").to_owned()
    }

    /// Makes a provider the one for all but these users.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn choose_provider(&self, admin: &str, id: &str, exempted: &[&str]) {
        let settings = json!({ "providerId": id, "exemptedUsers": exempted });
        let path = "/admin/admin-mfa-settings";
        self.put(path, admin, &settings).await.is(204);
    }

    /// The statuses of many answers, counted: `(200, others)`.
    pub fn successes(answers: &[Answer]) -> (usize, usize) {
        let good = answers
            .iter()
            .filter(|a| a.status == StatusCode::OK.as_u16())
            .count();
        (good, answers.len() - good)
    }
}
