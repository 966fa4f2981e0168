//! The one who sets a server up.

use std::net::SocketAddr;

use serde::Serialize;
use serde_json::{Value, json};
use vestibule_wire::{
    FinishOtp, Hidden, InitializeOtp, InitializeOtpResponse, LoginResponse, SignIn,
};

use super::server::ADMIN_PASSWORD;
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::{Answer, Connection, Request};
use crate::phone::{Phone, next_step};

/// The provider of codes, which is in every database.
pub(crate) const TOTP_PROVIDER: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";

/// Somebody with a token for administration.
pub(crate) struct Administrator {
    address: SocketAddr,
    token: String,
}

impl Administrator {
    /// Signs in for the first time, with a second factor, and asks to be admitted.
    pub(super) async fn sign_in(address: SocketAddr) -> Result<Self> {
        let credentials = SignIn {
            provider_name: Some("local".to_owned()),
            device_id: Some("00000000-0000-4000-9000-000000000000".to_owned()),
            username: Some("admin".to_owned()),
            password: Some(Hidden::new(ADMIN_PASSWORD)),
        };
        let signed_in = Request::post("/admin/authentication", None, &credentials)?;
        let partial = token(&ask(address, &signed_in).await?)?;
        let body = InitializeOtp::default();
        let path = "/admin/authentication/otp/initialize";
        let shown = ask(address, &Request::post(path, Some(&partial), &body)?).await?;
        let InitializeOtpResponse::Secret { secret, .. } = shown.read()? else {
            return Err(Fault::new("the administrator is shown no seed"));
        };
        let phone = Phone::from_base32(secret.expose())?;
        let body = FinishOtp {
            otp: Some(Hidden::new(phone.code(next_step(0).await?))),
            state: None,
        };
        let finish = Request::post("/admin/authentication/otp", Some(&partial), &body)?;
        let verified = token(&ask(address, &finish).await?)?;
        let admit = Request::get("/admin/authorization", Some(&verified));
        let token = token(&ask(address, &admit).await?)?;
        Ok(Self { address, token })
    }

    /// Adds a provider of second factors; its id.
    pub(crate) async fn add_provider(&self, provider: &Value) -> Result<String> {
        let added: Value = self
            .call("POST", "/admin/mfa-providers", provider)
            .await?
            .read()?;
        let id = added.get("id").and_then(Value::as_str);
        Ok(id.or_fault("a provider has no id")?.to_owned())
    }

    /// Asks everybody for the second factor of a provider.
    pub(crate) async fn require(&self, provider: &str) -> Result<()> {
        let settings = json!({ "providerId": provider, "exemptedUsers": [] });
        let answer = self
            .call("PUT", "/admin/admin-mfa-settings", &settings)
            .await?;
        match answer.status {
            204 => Ok(()),
            _ => Err(Fault::new(format!("the provider is not taken: {answer}"))),
        }
    }

    /// Asks for something once.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        ask(self.address, &Request::get(path, Some(&self.token))).await
    }

    async fn call(&self, method: &str, path: &str, body: &impl Serialize) -> Result<Answer> {
        let request = Request::send(method, path, Some(&self.token), body)?;
        ask(self.address, &request).await
    }
}

/// Asks once, on a connection that nobody keeps waiting.
async fn ask(address: SocketAddr, request: &Request) -> Result<Answer> {
    let connection = Connection::open(address).await;
    let mut connection = connection.or_fault("the server cannot be reached")?;
    let answer = connection.ask(request).await;
    answer.or_fault("the server does not answer")
}

fn token(answer: &Answer) -> Result<String> {
    let response: LoginResponse = answer.read()?;
    Ok(response.token.expose().to_owned())
}
