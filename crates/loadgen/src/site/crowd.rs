//! Many users, each on a device of their own.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use vestibule_wire::{
    FinishOtp, Hidden, InitializeOtp, InitializeOtpResponse, LoginResponse, SignIn,
};

use super::Postgres;
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::{Answer, Request};
use crate::load::{Load, drive};
use crate::phone::{Phone, next_step};

/// The password of everybody.
const PASSWORD: &str = "load";
/// Its hash: argon2id with 64 KiB. A server verifies with the parameters of the hash, so that signing
/// in, which is not what is measured, takes microseconds. With less it would use the same blocks of
/// memory as connections do, which no real hash does.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$bG9hZC1nZW5lcmF0b3ItLQ$\
    qoAR9C/Pb1wba0a+roexcnmgPPIWFczkmF+qg4rk/KQ";

/// Connections that prepare.
const CONNECTIONS: usize = 32;
/// How long a preparation may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Users that nobody else uses.
pub(crate) struct Crowd {
    size: usize,
    phones: Vec<Phone>,
    last_step: u64,
}

/// A session with a right password: what is measured starts here.
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) partial: String,
}

impl Crowd {
    /// Writes users into a database. They have no authenticators yet.
    pub(crate) fn settle(postgres: &Postgres, database: &str, size: usize) -> Result<Self> {
        let mut statements = String::new();
        let written = write!(
            statements,
            "INSERT INTO users (id, name, name_key, first_name, last_name, notes, tags, disabled,
                password_hash, failed_login_attempts, roles, created, updated, search, fields)
             SELECT id, name, name, 'L', 'G', '', '[]', FALSE, '{HASH}', 0, '[]', now, now,
                name || E'\\n\\n' || id || E'\\ncn=' || name || ',ou=local',
                jsonb_build_object('id', id::text, 'name', name, 'username', name)
             FROM (
                SELECT gen_random_uuid() AS id, 'load-' || lpad(n::text, 6, '0') AS name,
                    (extract(epoch FROM now()) * 1000000)::bigint AS now
                FROM generate_series(0, {size} - 1) AS n
             ) AS made;
             VACUUM ANALYZE;"
        );
        written.or_fault("a statement cannot be written")?;
        postgres.run(database, &statements)?;
        Ok(Self {
            size,
            phones: Vec::new(),
            last_step: 0,
        })
    }

    /// Everybody's names.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        (0..self.size).map(name)
    }

    /// Signs everybody in with their passwords.
    pub(crate) async fn sign_in(&self, address: SocketAddr) -> Result<Vec<Session>> {
        sign_in(address, 0..self.size).await
    }

    /// Signs the first ones in, at most so many.
    pub(crate) async fn sign_in_some(
        &self,
        address: SocketAddr,
        most: usize,
    ) -> Result<Vec<Session>> {
        sign_in(address, 0..self.size.min(most)).await
    }

    /// Gives everybody an authenticator.
    pub(crate) async fn enrol(&mut self, address: SocketAddr) -> Result<()> {
        let sessions = self.sign_in(address).await?;
        let body = InitializeOtp::default();
        let path = "/admin/authentication/otp/initialize";
        let requests = sessions.iter();
        let requests = requests.map(|session| Request::post(path, Some(&session.partial), &body));
        let shown = prepare(address, requests.collect::<Result<_>>()?).await?;
        self.phones = shown.all(|answer| match answer.read()? {
            InitializeOtpResponse::Secret { secret, .. } => Phone::from_base32(secret.expose()),
            InitializeOtpResponse::AlreadySeeded { .. }
            | InitializeOtpResponse::Challenge { .. }
            | InitializeOtpResponse::Push { .. } => Err(Fault::new("a user is shown no seed")),
        })?;
        let requests = self.codes(&sessions).await?;
        let finished = prepare(address, requests).await?;
        finished.all(Answer::read::<LoginResponse>)?;
        Ok(())
    }

    /// The finishes of these sessions, the first ones of everybody, with the codes of the next
    /// step.
    pub(crate) async fn codes(&mut self, sessions: &[Session]) -> Result<Vec<Request>> {
        self.last_step = next_step(self.last_step).await?;
        self.spent_codes(sessions)
    }

    /// The same with codes that were used.
    pub(crate) fn spent_codes(&self, sessions: &[Session]) -> Result<Vec<Request>> {
        let each = sessions.iter().zip(&self.phones);
        each.map(|(session, phone)| session.finish(&phone.code(self.last_step)))
            .collect()
    }
}

async fn sign_in(address: SocketAddr, which: Range<usize>) -> Result<Vec<Session>> {
    let requests = which.map(|n| {
        let credentials = SignIn {
            provider_name: Some("local".to_owned()),
            device_id: Some(format!("00000000-0000-4000-8000-{n:012x}")),
            username: Some(name(n)),
            password: Some(Hidden::new(PASSWORD)),
        };
        Request::post("/admin/authentication", None, &credentials)
    });
    let load = prepare(address, requests.collect::<Result<_>>()?).await?;
    load.all(|answer| {
        let response: LoginResponse = answer.read()?;
        if !response.user.need_two_factor_auth {
            return Err(Fault::new("no second factor is due"));
        }
        Ok(Session {
            user: response.user.name,
            partial: response.token.expose().to_owned(),
        })
    })
}

async fn prepare(address: SocketAddr, requests: Vec<Request>) -> Result<Load> {
    drive(address, CONNECTIONS, requests, PATIENCE).await
}

impl Session {
    /// The end of the second factor, with this answer.
    pub(crate) fn finish(&self, otp: &str) -> Result<Request> {
        let body = FinishOtp {
            otp: Some(Hidden::new(otp)),
            state: None,
        };
        Request::post("/admin/authentication/otp", Some(&self.partial), &body)
    }

    /// What is wrong with the answer to the right one, or the token in it.
    pub(crate) fn passed(&self, answer: Option<&Answer>) -> Result<String> {
        let answer = answer.or_fault("lost: no answer came")?;
        let response: LoginResponse = answer.read()?;
        let token = response.token.expose();
        if response.user.name != self.user || response.user.need_two_factor_auth {
            return Err(Fault::new(format!("wrong: this is no success: {answer}")));
        }
        if token == self.partial {
            return Err(Fault::new("wrong: the token is the one before"));
        }
        Ok(token.to_owned())
    }
}

/// What is wrong with the answers to right finishes: each must pass, with a token of its own.
pub(crate) fn faults(sessions: &[Session], answers: &[Option<Answer>]) -> Vec<String> {
    let (mut tokens, mut faults) = (HashSet::new(), Vec::new());
    for (session, answer) in sessions.iter().zip(answers) {
        match session.passed(answer.as_ref()) {
            Ok(token) => {
                if !tokens.insert(token) {
                    faults.push("double: two sessions have one token".to_owned());
                }
            }
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    faults
}

fn name(n: usize) -> String {
    format!("load-{n:06}")
}
