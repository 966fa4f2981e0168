//! A real FreeRADIUS beside the server.

use serde_json::json;
use vestibule_testkit::freeradius::{FreeRadius, PASSWORD, Setup, User, Version};

use super::{Heat, Venue};
use crate::fault::{OrFault as _, Result};
use crate::load::Tempo;

/// A RADIUS server that knows the crowd, and the provider that asks it.
pub(super) struct Radius {
    server: FreeRadius,
    provider: String,
}

impl Radius {
    /// Starts the older of the versions that are here: the one of the oldest system in use.
    pub(super) async fn start(venue: &Venue<'_>) -> Result<Self> {
        let mut versions = Version::ALL.into_iter();
        let version = versions.find(|version| FreeRadius::available(*version));
        let version = version.or_fault("FreeRADIUS is missing: `cargo xtask setup` installs it")?;
        let setup = venue.crowd.names().fold(Setup::default(), |setup, name| {
            setup.with_user(User::new(name))
        });
        let server = FreeRadius::start(version, &setup);
        let provider = json!({
            "name": "FreeRADIUS",
            "type": "Radius",
            "hostnames": [server.address().ip().to_string()],
            "port": server.address().port(),
            "sharedSecret": server.secret(),
            "authenticationProtocol": "PAP",
            "mode": "OneFactor",
        });
        let provider = venue.site.administrator.add_provider(&provider).await?;
        Ok(Self { server, provider })
    }

    /// Everybody ends a sign-in with the word that it lets in.
    pub(super) async fn heat(&self, venue: &Venue<'_>) -> Result<Heat> {
        let site = &venue.site;
        site.administrator.require(&self.provider).await?;
        let sessions = venue.crowd.sign_in(site.server.address()).await?;
        let requests = sessions.iter().map(|session| session.finish(PASSWORD));
        let requests = requests.collect::<Result<_>>()?;
        let before = self.accepted();
        let mut heat = venue.finish(&sessions, requests, Tempo::Closed).await?;
        let (asked, count) = (self.accepted() - before, sessions.len());
        if asked != count {
            let fault = format!("double or lost: FreeRADIUS let {asked} in, not {count}");
            heat.faults.push(fault);
        }
        Ok(heat)
    }

    /// How many it has let in.
    fn accepted(&self) -> usize {
        self.server.logged("Login OK")
    }
}
