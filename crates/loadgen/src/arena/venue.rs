//! A server and its crowd, and the heats that they take part in.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::Heat;
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::{Answer, Request};
use crate::load::{Load, Tempo, drive_all};
use crate::progress;
use crate::site::{Crowd, Database, Session, Site, TOTP_PROVIDER, faults};

/// Connections, each with one request at a time.
pub(crate) const CONNECTIONS: usize = 256;
/// How long a heat may take; what has no answer then is lost.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
/// How long requests come at a pace of their own.
const LONGEST_PACE: Duration = Duration::from_secs(10);
/// Sessions that are tried again after a heat: none may pass twice.
const TRIED_AGAIN: usize = 200;

/// How finishes are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'w> {
    /// Of the servers, over the same database.
    pub(crate) servers: &'w [SocketAddr],
    /// To all of them together, each with one request at a time.
    pub(crate) connections: usize,
    pub(crate) tempo: Tempo,
}

impl Way<'_> {
    /// Sends each of these once.
    pub(crate) async fn drive(self, requests: Vec<Request>) -> Result<Load> {
        let Self {
            servers,
            connections,
            tempo,
        } = self;
        drive_all(servers, connections, requests, tempo, PATIENCE).await
    }
}

/// What was there before finishes were sent.
pub(crate) struct Eve {
    /// Tokens of finished sign-ins.
    verified: usize,
    /// The first requests: none may pass by one that has passed already.
    some: Vec<Request>,
}

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
        heat.faults.extend(none_passes(&[address], requests).await?);
        Ok(heat)
    }

    /// The users with these numbers sign in; their sessions, and how they are finished with codes.
    pub(crate) async fn begin(
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
        let way = Way {
            servers: &[self.site.server.address()],
            connections: CONNECTIONS,
            tempo,
        };
        self.finish_by(way, sessions, requests).await
    }

    /// The same, sent in another way.
    pub(crate) async fn finish_by(
        &self,
        way: Way<'_>,
        sessions: &[Session],
        requests: Vec<Request>,
    ) -> Result<Heat> {
        let eve = self.eve(&requests).await?;
        let load = way.drive(requests).await?;
        self.judge(eve, way, sessions, load).await
    }

    /// What has to be known before these requests are sent.
    pub(crate) async fn eve(&self, requests: &[Request]) -> Result<Eve> {
        Ok(Eve {
            verified: self.verified().await?,
            some: requests.iter().take(TRIED_AGAIN).cloned().collect(),
        })
    }

    /// Looks at the answers, counts the tokens in the database, and tries some requests again.
    pub(crate) async fn judge(
        &self,
        eve: Eve,
        way: Way<'_>,
        sessions: &[Session],
        load: Load,
    ) -> Result<Heat> {
        let per_second = load.throughput();
        let Load {
            answers, latencies, ..
        } = load;
        let mut faults = faults(sessions, &answers);
        let stored = self.verified().await?.saturating_sub(eve.verified);
        let expected = sessions.len().saturating_sub(faults.len());
        if stored != expected {
            faults.push(format!(
                "{stored} tokens were stored for {expected} answers"
            ));
        }
        // Who was not let in may yet be.
        let passed = |answer: &Option<Answer>| answer.as_ref().is_some_and(|it| it.status == 200);
        let tried = eve.some.into_iter().zip(&answers);
        let spent = tried.filter(|(_, answer)| passed(answer));
        let spent = spent.map(|(request, _)| request).collect();
        faults.extend(none_passes(way.servers, spent).await?);
        Ok(Heat {
            per_second,
            latencies,
            faults,
        })
    }

    /// How many tokens of finished sign-ins there are.
    pub(crate) async fn verified(&self) -> Result<usize> {
        let verified = "SELECT count(*) FROM tokens WHERE kind = 'verified';";
        self.site.database.count(verified).await
    }
}

/// Sends what must be refused.
async fn none_passes(servers: &[SocketAddr], requests: Vec<Request>) -> Result<Vec<String>> {
    let load = drive_all(servers, CONNECTIONS, requests, Tempo::Closed, PATIENCE).await?;
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
