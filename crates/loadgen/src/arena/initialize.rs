//! The start of a second factor, for those who have an authenticator: it writes nothing.

use vestibule_wire::InitializeOtpResponse;

use super::Heat;
use super::venue::{CONNECTIONS, PATIENCE, Venue};
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::Answer;
use crate::load::{Tempo, drive};
use crate::site::{Session, TOTP_PROVIDER};

/// What would change if something was written: each change of a second factor counts one on.
const REVISIONS: &str = "SELECT CAST(sum(revision) AS bigint) FROM second_factors;";

impl Venue<'_> {
    /// Everybody begins with the second factor. Who has done so may do it again, so the sessions are
    /// left as they were.
    pub(super) async fn initialize(&mut self) -> Result<Heat> {
        let address = self.site.server.address();
        self.site.administrator.require(TOTP_PROVIDER).await?;
        let sessions = self.crowd.sign_in(address).await?;
        let requests = sessions.iter().map(Session::initialize);
        let requests = requests.collect::<Result<_>>()?;
        let before = self.site.database.count(REVISIONS).await?;
        let load = drive(address, CONNECTIONS, requests, Tempo::Closed, PATIENCE).await?;
        let after = self.site.database.count(REVISIONS).await?;
        let mut faults: Vec<String> = load.faults(is_seeded);
        if before != after {
            faults.push("wrong: a start that only reads has written".to_owned());
        }
        Ok(Heat {
            per_second: load.throughput(),
            latencies: load.latencies,
            faults,
        })
    }
}

/// Whether an answer asks for a code of the authenticator that is there.
pub(crate) fn is_seeded(answer: Option<&Answer>) -> Result<()> {
    match answer.or_fault("lost: no answer came")?.read()? {
        InitializeOtpResponse::AlreadySeeded { .. } => Ok(()),
        InitializeOtpResponse::Secret { .. }
        | InitializeOtpResponse::Challenge { .. }
        | InitializeOtpResponse::Push { .. } => {
            Err(Fault::new("wrong: a user with a seed is asked for another"))
        }
    }
}
