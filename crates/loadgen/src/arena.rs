//! Where contenders compete: one cluster, one server, and what each of them needs.

mod radius;
mod update;

use std::time::Duration;

use radius::Radius;
use update::Update;

use crate::args::Args;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::Latencies;
use crate::http::Request;
use crate::load::{Load, drive};
use crate::progress;
use crate::rows::Contender;
use crate::site::{Crowd, Postgres, Session, Site, TOTP_PROVIDER, faults};

/// Connections, each with one request at a time.
const CONNECTIONS: usize = 64;
/// How long a heat may take; what has no answer then is lost.
const PATIENCE: Duration = Duration::from_mins(2);
/// Sessions that are tried again after a heat: none may pass twice.
const TRIED_AGAIN: usize = 200;

/// What one contender did in one round.
pub(crate) struct Heat {
    pub(crate) per_second: f64,
    pub(crate) latencies: Latencies,
    /// What must not happen, and did.
    pub(crate) faults: Vec<String>,
}

/// All that takes part.
pub(crate) struct Arena<'a> {
    postgres: &'a Postgres,
    site: Site,
    crowd: Crowd,
    update: Option<Update>,
    radius: Option<Radius>,
}

impl<'a> Arena<'a> {
    /// Prepares for these contenders.
    pub(crate) async fn prepare(
        args: &Args,
        postgres: &'a Postgres,
        contenders: &[Contender],
    ) -> Result<Self> {
        let site = Site::start(&args.server, postgres, "").await?;
        let mut crowd = Crowd::settle(postgres, &site.database, args.sessions)?;
        if contenders.contains(&Contender::Totp) {
            progress(format_args!("enrolling {} users", args.sessions));
            crowd.enrol(site.server.address()).await?;
        }
        let update = contenders.contains(&Contender::Update);
        let radius = contenders.contains(&Contender::Radius);
        let arena = Self {
            update: update.then(|| Update::prepare(postgres)).transpose()?,
            radius: if radius {
                Some(Radius::start(&site, &crowd).await?)
            } else {
                None
            },
            postgres,
            site,
            crowd,
        };
        postgres.run(&arena.site.database, "VACUUM ANALYZE; CHECKPOINT;")?;
        Ok(arena)
    }

    /// Lets one of them run.
    pub(crate) async fn heat(&mut self, contender: Contender) -> Result<Heat> {
        match contender {
            Contender::Update => {
                let update = self.update.as_mut().or_fault("pgbench was not prepared")?;
                update.heat(self.postgres)
            }
            Contender::Totp => self.totp().await,
            Contender::Radius => self.radius().await,
        }
    }

    async fn totp(&mut self) -> Result<Heat> {
        let address = self.site.server.address();
        self.site.administrator.require(TOTP_PROVIDER).await?;
        let sessions = self.crowd.sign_in(address).await?;
        let requests = self.crowd.codes(&sessions).await?;
        let mut heat = self.finish(&sessions, requests).await?;

        // Whoever signs in again has spent the code.
        let again = self.crowd.sign_in_some(address, TRIED_AGAIN).await?;
        let requests = self.crowd.spent_codes(&again)?;
        heat.faults.extend(self.none_passes(requests).await?);
        Ok(heat)
    }

    async fn radius(&mut self) -> Result<Heat> {
        let address = self.site.server.address();
        let radius = self.radius.as_ref().or_fault("there is no RADIUS server")?;
        self.site.administrator.require(radius.provider()).await?;
        let sessions = self.crowd.sign_in(address).await?;
        let word = Radius::word();
        let requests = sessions.iter().map(|session| session.finish(word));
        let before = radius.accepted();
        let mut heat = self
            .finish(&sessions, requests.collect::<Result<_>>()?)
            .await?;
        let asked = radius.accepted() - before;
        if asked != sessions.len() {
            let count = sessions.len();
            let fault = format!("double or lost: FreeRADIUS let {asked} in, not {count}");
            heat.faults.push(fault);
        }
        Ok(heat)
    }

    /// The measurement: each session is finished once.
    async fn finish(&self, sessions: &[Session], requests: Vec<Request>) -> Result<Heat> {
        let address = self.site.server.address();
        let verified = "SELECT count(*) FROM tokens WHERE kind = 'verified';";
        let count = || -> Result<usize> {
            let count = self.postgres.run(&self.site.database, verified)?;
            count.parse().or_fault("a count")
        };
        let before = count()?;
        let some: Vec<_> = requests.iter().take(TRIED_AGAIN).cloned().collect();
        let load = drive(address, CONNECTIONS, requests, PATIENCE).await?;
        let per_second = load.throughput();
        let Load {
            answers, latencies, ..
        } = load;
        let mut faults = faults(sessions, &answers);
        let (stored, expected) = (count()? - before, sessions.len() - faults.len());
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

    /// Sends what must be refused.
    async fn none_passes(&self, requests: Vec<Request>) -> Result<Vec<String>> {
        let address = self.site.server.address();
        let load = drive(address, CONNECTIONS, requests, PATIENCE).await?;
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
