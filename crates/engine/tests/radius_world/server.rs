//! A RADIUS server, or two that share their users: what it hears, and what it says.

use std::collections::HashMap;
use std::net::SocketAddr;

use vestibule_engine::SessionId;
use vestibule_engine::radius::{Credential, Question, RadiusState, Reply};

use super::action::Manner;

/// Both of them.
#[derive(Default)]
pub(crate) struct Servers {
    /// States that were not sent back yet: whose they are, and which server waits for them.
    open: HashMap<Vec<u8>, (SessionId, SocketAddr)>,
    challenges: u64,
}

/// What a server has said, as the ledger knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Accepted,
    Rejected,
    Challenged {
        /// Another number for each challenge.
        serial: u64,
        server: SocketAddr,
        state: Option<Vec<u8>>,
        /// For how many seconds the answer is waited for, if the server says.
        waits: Option<u64>,
    },
    Nothing,
}

fn address(n: u64) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + u8::from(n % 2 == 1)], 1812))
}

impl Servers {
    /// What a server makes of a request of this session.
    pub(crate) fn hear(
        &mut self,
        session: SessionId,
        question: &Question,
        is_right: bool,
        manner: Manner,
    ) -> Said {
        if manner == (Manner::Silent { judges: false }) {
            return Said::Nothing;
        }
        if let Some(state) = &question.state {
            let Some((whose, waits)) = self.open.remove(state.octets()) else {
                panic!("a State was sent twice, or made up");
            };
            assert_eq!(whose, session, "the State of another session");
            assert_eq!(question.server, Some(waits), "the State of another server");
        }
        let typed = question.with == Credential::Typed;
        match manner {
            Manner::Silent { judges: _ } => Said::Nothing,
            Manner::Rejects => Said::Rejected,
            Manner::Careless if !typed => Said::Accepted,
            Manner::Plain | Manner::Careless if !is_right => Said::Rejected,
            Manner::Plain | Manner::Careless | Manner::AsksAgain if typed && is_right => {
                Said::Accepted
            }
            Manner::Plain | Manner::Careless | Manner::AsksAgain | Manner::AsksOn => {
                self.ask(session)
            }
        }
    }

    fn ask(&mut self, session: SessionId) -> Said {
        self.challenges += 1;
        let serial = self.challenges;
        let server = address(serial / 3);
        // One in five has no State (RFC 2865 section 4.4 has it as 0-1).
        let state = (!serial.is_multiple_of(5)).then(|| serial.to_be_bytes().to_vec());
        if let Some(state) = &state {
            self.open.insert(state.clone(), (session, server));
        }
        let waits = match serial % 7 {
            0 => Some(0),
            1 => Some(3_600),
            2 | 3 => Some(60),
            _ => None,
        };
        Said::Challenged {
            serial,
            server,
            state,
            waits,
        }
    }
}

impl Said {
    /// The same, for the engine.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::Accepted => Reply::Accepted,
            Self::Rejected => Reply::Rejected,
            Self::Challenged {
                serial,
                server,
                state,
                waits,
            } => Reply::Challenged {
                server: *server,
                state: state.clone().map(RadiusState::new),
                message: serial.to_string(),
                answer_within: waits.map(std::time::Duration::from_secs),
            },
            Self::Nothing => Reply::Silent,
        }
    }
}
