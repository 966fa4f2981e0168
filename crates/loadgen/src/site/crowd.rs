//! Many users, each on a device of their own.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use vestibule_wire::{
    FinishOtp, Hidden, InitializeOtp, InitializeOtpResponse, LoginResponse, SignIn,
};

use super::Database;
use super::database::Settlers;
use super::server::ADMIN_PASSWORD;
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::{Answer, Request};
use crate::load::{Load, Tempo, drive};
use crate::phone::{Phone, next_step, step_now};

/// The password of most.
const PASSWORD: &str = "load";
/// Its hash: argon2id with 64 KiB. A server verifies with the parameters of the hash, so that signing
/// in, where it is not what is measured, takes microseconds. With less it would use the same blocks of
/// memory as connections do, which no real hash does.
const HASH: &str = "'$argon2id$v=19$m=64,t=1,p=1$bG9hZC1nZW5lcmF0b3ItLQ$\
    qoAR9C/Pb1wba0a+roexcnmgPPIWFczkmF+qg4rk/KQ'";

/// Connections that prepare.
const CONNECTIONS: usize = 32;
/// How long a preparation may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Users that nobody else uses.
pub(crate) struct Crowd {
    members: Vec<Member>,
    password: &'static str,
}

/// One of them.
#[derive(Debug)]
struct Member {
    name: String,
    /// Once there is one.
    phone: Option<Phone>,
    /// The last step of which a code was used.
    last_step: u64,
}

/// A session with a right password: what is measured starts here.
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) partial: String,
    /// Whose it is: a number in the crowd.
    member: usize,
}

impl Crowd {
    /// Writes users into a database. They have no authenticators yet.
    pub(crate) async fn settle(database: &Database<'_>, size: usize) -> Result<Self> {
        let settlers = Settlers {
            prefix: "load",
            size,
            hash: HASH,
        };
        Self::add(database, settlers, PASSWORD).await
    }

    /// The same with a hash that costs what those of the server cost, because it is one.
    pub(crate) async fn settle_costly(database: &Database<'_>, size: usize) -> Result<Self> {
        let settlers = Settlers {
            prefix: "hash",
            size,
            hash: "(SELECT password_hash FROM users WHERE name_key = 'admin')",
        };
        Self::add(database, settlers, ADMIN_PASSWORD).await
    }

    async fn add(
        database: &Database<'_>,
        settlers: Settlers,
        password: &'static str,
    ) -> Result<Self> {
        database.add(&settlers).await?;
        let Settlers { prefix, size, .. } = settlers;
        let members = (0..size).map(|n| Member {
            name: format!("{prefix}-{n:06}"),
            phone: None,
            last_step: 0,
        });
        Ok(Self {
            members: members.collect(),
            password,
        })
    }

    /// Forgets all but one in so many, who are spread over the others.
    pub(crate) fn keep(&mut self, one_in: usize) {
        let all = std::mem::take(&mut self.members).into_iter();
        self.members = all.step_by(one_in.max(1)).collect();
    }

    /// Takes steps for unused that are so many before the last ones, as was done in the database.
    pub(crate) fn put_back(&mut self, steps: u64) {
        for member in &mut self.members {
            member.last_step = member.last_step.saturating_sub(steps);
        }
    }

    /// Everybody's names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// Signs everybody in with their passwords.
    pub(crate) async fn sign_in(&self, address: SocketAddr) -> Result<Vec<Session>> {
        self.sign_in_some(address, 0..self.members.len()).await
    }

    /// Signs those in who have these numbers, as far as they are there.
    pub(crate) async fn sign_in_some(
        &self,
        address: SocketAddr,
        which: Range<usize>,
    ) -> Result<Vec<Session>> {
        let which = which.start..which.end.min(self.members.len());
        let load = prepare(address, self.passwords(which.clone())?).await?;
        let responses = load.all(Answer::read::<LoginResponse>)?;
        let sessions = which.zip(responses);
        sessions
            .map(|(member, response)| Session::begun(member, response))
            .collect()
    }

    /// The requests with which they sign in.
    pub(crate) fn passwords(&self, which: Range<usize>) -> Result<Vec<Request>> {
        self.credentials(which, self.password)
    }

    /// The same with a password that is not theirs.
    pub(crate) fn wrong_passwords(&self, which: Range<usize>) -> Result<Vec<Request>> {
        self.credentials(which, "not the one")
    }

    fn credentials(&self, which: Range<usize>, password: &str) -> Result<Vec<Request>> {
        let request = |(n, member): (usize, &Member)| {
            let credentials = SignIn {
                provider_name: Some("local".to_owned()),
                device_id: Some(format!("00000000-0000-4000-8000-{n:012x}")),
                username: Some(member.name.clone()),
                password: Some(Hidden::new(password)),
            };
            Request::post("/admin/authentication", None, &credentials)
        };
        let members = self.members.iter().enumerate();
        let which = members.skip(which.start).take(which.len());
        which.map(request).collect()
    }

    /// Gives everybody an authenticator.
    pub(crate) async fn enrol(&mut self, address: SocketAddr) -> Result<()> {
        self.enrol_in_parts(address, self.members.len()).await
    }

    /// The same, so many at a time.
    pub(crate) async fn enrol_in_parts(&mut self, address: SocketAddr, size: usize) -> Result<()> {
        for first in (0..self.members.len()).step_by(size.max(1)) {
            self.enrol_some(address, first..first + size).await?;
        }
        Ok(())
    }

    async fn enrol_some(&mut self, address: SocketAddr, which: Range<usize>) -> Result<()> {
        let sessions = self.sign_in_some(address, which.clone()).await?;
        let requests = sessions.iter().map(Session::initialize);
        let shown = prepare(address, requests.collect::<Result<_>>()?).await?;
        let phones = shown.all(|answer| match answer.read()? {
            InitializeOtpResponse::Secret { secret, .. } => Phone::from_base32(secret.expose()),
            InitializeOtpResponse::AlreadySeeded { .. }
            | InitializeOtpResponse::Challenge { .. }
            | InitializeOtpResponse::Push { .. } => Err(Fault::new("a user is shown no seed")),
        })?;
        for (member, phone) in self.members.iter_mut().skip(which.start).zip(phones) {
            member.phone = Some(phone);
        }
        let requests = self.codes(&sessions).await?;
        let finished = prepare(address, requests).await?;
        finished.all(Answer::read::<LoginResponse>)?;
        Ok(())
    }

    /// The finishes of these sessions with codes of the next step that none of their users has used,
    /// one of each user.
    pub(crate) async fn codes(&mut self, sessions: &[Session]) -> Result<Vec<Request>> {
        let theirs = sessions.iter().map(|session| self.member(session));
        let last_steps = theirs.map(|member| member.map(|member| member.last_step));
        let last_step = last_steps.collect::<Result<Vec<_>>>()?.into_iter().max();
        let mut step = next_step(last_step.unwrap_or_default()).await?;
        while self.repeats(sessions, step)? {
            step = next_step(step).await?;
        }
        for session in sessions {
            if let Some(member) = self.members.get_mut(session.member) {
                member.last_step = step;
            }
        }
        self.spent_codes(sessions)
    }

    /// Whether somebody's code of a step looks like one that was used.
    fn repeats(&self, sessions: &[Session], step: u64) -> Result<bool> {
        let phones = sessions.iter().map(|session| self.member(session)?.phone());
        let mut repeat = phones.map(|phone| phone.map(|phone| phone.repeats(step)));
        repeat.try_fold(false, |any, one| Ok(any | one?))
    }

    /// The same with the codes that were used last.
    pub(crate) fn spent_codes(&self, sessions: &[Session]) -> Result<Vec<Request>> {
        let finish = |session: &Session| {
            let member = self.member(session)?;
            session.finish(&member.phone()?.code(member.last_step))
        };
        sessions.iter().map(finish).collect()
    }

    /// A code of the member with this number that can be claimed now; none if those of this time were
    /// used. It counts as used from now on.
    pub(crate) fn fresh_code(&mut self, number: usize) -> Result<Option<String>> {
        let member = self
            .members
            .get_mut(number)
            .or_fault("there is no such user")?;
        let now = step_now()?;
        let mut step = now.max(member.last_step + 1);
        while member.phone()?.repeats(step) {
            step += 1;
        }
        // The server takes codes of one step either way.
        if step > now + 1 {
            return Ok(None);
        }
        member.last_step = step;
        Ok(Some(member.phone()?.code(step)))
    }

    /// A code that is none of theirs, now or soon.
    pub(crate) fn wrong_code(&self, number: usize) -> Result<String> {
        let member = self.members.get(number).or_fault("there is no such user")?;
        let phone = member.phone()?;
        let now = step_now()?;
        let near: Vec<_> = (now.saturating_sub(3)..=now + 3)
            .map(|step| phone.code(step))
            .collect();
        let mut codes = (0..=near.len()).map(|n| format!("{n:06}"));
        let wrong = codes.find(|code| !near.contains(code));
        wrong.or_fault("all codes are right")
    }

    fn member(&self, session: &Session) -> Result<&Member> {
        let member = self.members.get(session.member);
        member.or_fault("a session is nobody's")
    }
}

async fn prepare(address: SocketAddr, requests: Vec<Request>) -> Result<Load> {
    drive(address, CONNECTIONS, requests, Tempo::Closed, PATIENCE).await
}

impl Member {
    fn phone(&self) -> Result<&Phone> {
        self.phone.as_ref().or_fault("a user has no authenticator")
    }
}

impl Session {
    /// The session of the member with this number, as the answer to a password tells of it.
    pub(crate) fn begun(member: usize, response: LoginResponse) -> Result<Self> {
        if !response.user.need_two_factor_auth {
            return Err(Fault::new("no second factor is due"));
        }
        Ok(Self {
            user: response.user.name,
            partial: response.token.expose().to_owned(),
            member,
        })
    }

    /// The start of the second factor.
    pub(crate) fn initialize(&self) -> Result<Request> {
        let path = "/admin/authentication/otp/initialize";
        Request::post(path, Some(&self.partial), &InitializeOtp::default())
    }

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
