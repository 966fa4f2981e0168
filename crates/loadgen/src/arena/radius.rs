//! A real FreeRADIUS beside the server.

use serde_json::json;
use vestibule_testkit::freeradius::{FreeRadius, PASSWORD, Setup, User, Version};

use crate::fault::{OrFault as _, Result};
use crate::site::{Crowd, Site};

/// A RADIUS server that knows the crowd, and the provider that asks it.
pub(super) struct Radius {
    server: FreeRadius,
    provider: String,
}

impl Radius {
    /// Starts the older of the versions that are here: the one of the oldest system in use.
    pub(super) async fn start(site: &Site, crowd: &Crowd) -> Result<Self> {
        let mut versions = Version::ALL.into_iter();
        let version = versions.find(|version| FreeRadius::available(*version));
        let version = version.or_fault("FreeRADIUS is missing: `cargo xtask setup` installs it")?;
        let setup = crowd.names().fold(Setup::default(), |setup, name| {
            setup.with_user(User::new(&name))
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
        let provider = site.administrator.add_provider(&provider).await?;
        Ok(Self { server, provider })
    }

    /// The id of the provider.
    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// What lets everybody in.
    pub(super) fn word() -> &'static str {
        PASSWORD
    }

    /// How many it has let in.
    pub(super) fn accepted(&self) -> usize {
        self.server.logged("Login OK")
    }
}
