//! Why there is no reply, in words that help who is woken by it.

use std::fmt;
use std::net::SocketAddr;

use crate::{Broken, Discard, EncodeError};

/// Why an exchange has no reply. None of these counts against the user.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No name has an address.
    #[error("no server has an address: {}", Names(hostnames))]
    Unresolved {
        /// The names, and what was answered for each.
        hostnames: Vec<(String, String)>,
    },
    /// Nobody answered in time, or not in a way that counts.
    #[error("no answer: {}", Servers(attempts))]
    NoAnswer {
        /// Whom was asked, in this order.
        attempts: Vec<Attempted>,
    },
    /// The server that the dialogue began with is not there any more: begin again.
    #[error("the server of this dialogue, {0}, is gone")]
    PinnedServerGone(SocketAddr),
    /// As many requests are pending as may be.
    #[error("too many requests are pending")]
    Busy,
    /// A server signed what it must not send.
    #[error("{server}: {broken}")]
    BrokenServer {
        /// Who it is.
        server: SocketAddr,
        /// What it sent.
        broken: Broken,
    },
    /// The request fits into no packet.
    #[error(transparent)]
    Unencodable(#[from] EncodeError),
    /// The client is shut down.
    #[error("the RADIUS client is shut down")]
    Stopped,
}

impl ExchangeError {
    /// What to look at, if what came instead of an answer tells.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::NoAnswer { attempts } = self else {
            return None;
        };
        attempts.iter().find_map(Attempted::hint)
    }
}

/// A server that was asked in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempted {
    /// Who it is; `None` only by default.
    pub server: Option<SocketAddr>,
    /// Where we asked from: what the server must know us by.
    pub our_address: Option<SocketAddr>,
    /// How often the request was sent.
    pub sent: u32,
    /// Whether the system said that nobody listens there.
    pub refused: bool,
    /// Why nothing could be sent, if so.
    pub unreachable: Option<String>,
    /// What came and was no answer.
    pub discarded: Discarded,
}

/// Datagrams that came with the identifier of a request and were no answer to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discarded {
    /// Without a Message-Authenticator, while one is required. The rest was not looked at.
    pub unsigned: u16,
    /// With a wrong Response Authenticator or Message-Authenticator.
    pub wrongly_signed: u16,
    /// Protocol-Errors.
    pub protocol_errors: u16,
    /// Malformed, or with another code.
    pub malformed: u16,
}

impl Discarded {
    /// Counts one.
    pub(super) const fn count(&mut self, discard: Discard) {
        let counter = match discard {
            Discard::MessageAuthenticatorMissing => &mut self.unsigned,
            Discard::WrongResponseAuthenticator | Discard::WrongMessageAuthenticator => {
                &mut self.wrongly_signed
            }
            Discard::ProtocolError => &mut self.protocol_errors,
            Discard::TooShort
            | Discard::TooLong
            | Discard::WrongLength
            | Discard::UnknownIdentifier
            | Discard::UnexpectedCode(_)
            | Discard::MalformedAttributes
            | Discard::MessageAuthenticatorLength
            | Discard::MessageAuthenticatorTwice => &mut self.malformed,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Attempted {
    fn hint(&self) -> Option<&'static str> {
        let Discarded {
            unsigned,
            wrongly_signed,
            protocol_errors,
            malformed: _,
        } = self.discarded;
        if unsigned > 0 {
            Some(
                "answers lack Message-Authenticator: update the server, or stop requiring it \
                 and know the risk (CVE-2024-3596)",
            )
        } else if wrongly_signed > 0 {
            Some("answers are wrongly signed: is the shared secret the same?")
        } else if protocol_errors > 0 {
            Some("the server answers with Protocol-Error: look into its log")
        } else if self.refused || self.unreachable.is_some() {
            Some("nobody listens there: does the server run, and is the port right?")
        } else {
            None
        }
    }
}

impl fmt::Display for Attempted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(server) = self.server {
            write!(f, "{server}")?;
        }
        if let Some(ours) = self.our_address {
            write!(f, " from {}", ours.ip())?;
        }
        if let Some(error) = &self.unreachable {
            return write!(f, " cannot be reached ({error})");
        }
        write!(f, " was asked {} times", self.sent)?;
        if self.refused {
            f.write_str(", refused")?;
        }
        let discarded = self.discarded;
        for (count, what) in [
            (discarded.unsigned, "answers without Message-Authenticator"),
            (discarded.wrongly_signed, "wrongly signed answers"),
            (discarded.protocol_errors, "Protocol-Errors"),
            (discarded.malformed, "malformed answers"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(hint) = self.hint() {
            return write!(f, " ({hint})");
        }
        f.write_str(" (is our address registered there, with the same secret?)")
    }
}

struct Names<'a>(&'a [(String, String)]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, error)) in self.0.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{name} ({error})")?;
        }
        Ok(())
    }
}

struct Servers<'a>(&'a [Attempted]);

impl fmt::Display for Servers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, attempt) in self.0.iter().enumerate() {
            let comma = if n > 0 { "; " } else { "" };
            write!(f, "{comma}{attempt}")?;
        }
        Ok(())
    }
}
