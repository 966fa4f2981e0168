//! A server and its crowd, and the heats that they take part in.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::Heat;
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::Request;
use crate::load::{Load, Tempo, drive};
use crate::progress;
use crate::site::{Crowd, Database, Session, Site, TOTP_PROVIDER, faults};

/// Connections, each with one request at a time.
pub(super) const CONNECTIONS: usize = 64;
/// How long a heat may take; what has no answer then is lost.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
/// How long requests come at a pace of their own.
const LONGEST_PACE: Duration = Duration::from_secs(10);
/// Sessions that are tried again after a heat: none may pass twice.
const TRIED_AGAIN: usize = 200;

/// A server over a database, and those who sign in to it.
pub(crate) struct Venue<'a> {
    pub(crate) site: Site<'a>,
    pub(crate) crowd: Crowd,
}

impl<'a> Venue<'a> {
    /// Starts a server for so many users, who have no authenticators yet.
    pub(crate) async fn open(binary: &Path, database: Database<'a>, users: usize) -> Result<Self> {
        let site = Site::start(binary, database, "").await?;
        let crowd = Crowd::settle(&site.database, users).await?;
        Ok(Self { site, crowd })
    }

    /// Gives everybody an authenticator.
    pub(crate) async fn enrol(&mut self) -> Result<()> {
        let users = self.crowd.names().count();
        progress(format_args!("enrolling {users} users"));
        self.crowd.enrol(self.site.server.address()).await
    }

    /// Everybody ends a sign-in with a code.
    pub(crate) async fn totp(&mut self) -> Result<Heat> {
        let address = self.site.server.address();
        let everybody = 0..self.crowd.names().count();
        let (sessions, requests) = self.begin(everybody).await?;
        let mut heat = self.finish(&sessions, requests, Tempo::Closed).await?;

        // Whoever signs in again has spent the code.
        let again = self.crowd.sign_in_some(address, 0..TRIED_AGAIN).await?;
        let requests = self.crowd.spent_codes(&again)?;
        heat.faults.extend(self.none_passes(requests).await?);
        Ok(heat)
    }

    /// The users with these numbers sign in; their sessions, and how they are finished with codes.
    pub(super) async fn begin(
        &mut self,
        which: Range<usize>,
    ) -> Result<(Vec<Session>, Vec<Request>)> {
        self.site.administrator.require(TOTP_PROVIDER).await?;
        let address = self.site.server.address();
        let sessions = self.crowd.sign_in_some(address, which).await?;
        let requests = self.crowd.codes(&sessions).await?;
        Ok((sessions, requests))
    }

    /// Some end a sign-in with a code, at so many times less than what was reached as fast as
    /// answers come.
    pub(crate) async fn at_a_fraction(&mut self, of: f64, fraction: f64) -> Result<Heat> {
        let every = Duration::from_secs_f64(1.0 / (of * fraction).max(1.0));
        let most = LONGEST_PACE.as_nanos() / every.as_nanos().max(1);
        let most = usize::try_from(most).or_fault("too many requests")?;
        let (sessions, requests) = self.begin(0..most).await?;
        self.finish(&sessions, requests, Tempo::Every(every)).await
    }

    /// So many sign-ins are ended with codes, by those who have authenticators: as many of each, one
    /// after the other, with codes of steps that follow one another.
    pub(crate) async fn lap(&mut self, finishes: usize) -> Result<Heat> {
        let users = self.crowd.names().count().max(1);
        let (mut sessions, mut requests) = (Vec::new(), Vec::new());
        for _ in 0..finishes / users {
            let (begun, codes) = self.begin(0..users).await?;
            sessions.extend(begun);
            requests.extend(codes);
        }
        self.finish(&sessions, requests, Tempo::Closed).await
    }

    /// The measurement: each session is finished once.
    pub(super) async fn finish(
        &self,
        sessions: &[Session],
        requests: Vec<Request>,
        tempo: Tempo,
    ) -> Result<Heat> {
        let before = self.verified().await?;
        let some: Vec<_> = requests.iter().take(TRIED_AGAIN).cloned().collect();
        let address = self.site.server.address();
        let load = drive(address, CONNECTIONS, requests, tempo, PATIENCE).await?;
        let per_second = load.throughput();
        let Load {
            answers, latencies, ..
        } = load;
        let mut faults = faults(sessions, &answers);
        let stored = self.verified().await?.saturating_sub(before);
        let expected = sessions.len().saturating_sub(faults.len());
        if stored != expected {
            faults.push(format!(
                "{stored} tokens were stored for {expected} answers"
            ));
        }
        faults.extend(self.none_passes(some).await?);
        Ok(Heat {
            per_second,
            latencies,
            faults,
        })
    }

    /// How many tokens of finished sign-ins there are.
    async fn verified(&self) -> Result<usize> {
        let verified = "SELECT count(*) FROM tokens WHERE kind = 'verified';";
        self.site.database.count(verified).await
    }

    /// Sends what must be refused.
    async fn none_passes(&self, requests: Vec<Request>) -> Result<Vec<String>> {
        let address = self.site.server.address();
        let load = drive(address, CONNECTIONS, requests, Tempo::Closed, PATIENCE).await?;
        let answers = load.answers.iter().flatten();
        let passed = answers.filter(|answer| answer.status == 200).count();
        let refused = load.all(|answer| match answer.status {
            200 | 401 => Ok(()),
            _ => Err(Fault::new(format!(
                "what is spent is answered with {answer}"
            ))),
        });
        refused?;
        Ok(match passed {
            0 => Vec::new(),
            _ => vec![format!("double: {passed} passed twice")],
        })
    }
}
