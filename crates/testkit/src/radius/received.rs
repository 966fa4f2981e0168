//! A request as the handler sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::attribute::{CHAP_CHALLENGE, CHAP_PASSWORD, MESSAGE_AUTHENTICATOR, STATE};
use super::attribute::{USER_NAME, USER_PASSWORD};
use super::codec::{self, AUTHENTICATOR, Packet};

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Without Message-Authenticator.
    Missing,
    /// With one that is wrong, or with several.
    Wrong,
    /// With one that is right.
    Right {
        /// Whether it is the first attribute.
        first: bool,
    },
}

/// A request.
pub struct Received {
    /// Who sent it.
    pub source: SocketAddr,
    /// Access-Request, or whatever came.
    pub code: u8,
    /// The octet that the answer repeats.
    pub identifier: u8,
    /// The Request Authenticator.
    pub authenticator: [u8; 16],
    /// All attributes in their order, type and value.
    pub attributes: Vec<(u8, Vec<u8>)>,
    /// Whether it carries the proof that its sender knows the secret.
    pub signature: Signature,
    /// Whether this address, port, identifier and authenticator came before.
    pub is_retransmission: bool,
    /// The datagram, without padding.
    pub octets: Vec<u8>,
    secret: Arc<[u8]>,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("source", &self.source)
            .field("code", &self.code)
            .field("identifier", &self.identifier)
            .field("is_retransmission", &self.is_retransmission)
            .finish_non_exhaustive()
    }
}

impl Received {
    pub(super) fn new(
        source: SocketAddr,
        packet: Packet,
        is_retransmission: bool,
        secret: Arc<[u8]>,
    ) -> Self {
        Self {
            source,
            code: packet.code,
            identifier: packet.identifier,
            authenticator: packet.authenticator,
            signature: signature(&packet, &secret),
            attributes: packet.attributes,
            is_retransmission,
            octets: packet.octets,
            secret,
        }
    }

    /// The value of the first attribute of a type.
    pub fn attribute(&self, kind: u8) -> Option<&[u8]> {
        let mut attributes = self.attributes.iter();
        let (_, value) = attributes.find(|(other, _)| *other == kind)?;
        Some(value)
    }

    /// User-Name, as far as it is text.
    pub fn user_name(&self) -> String {
        let name = self.attribute(USER_NAME).unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }

    /// What the client echoes of a challenge.
    pub fn state(&self) -> Option<&[u8]> {
        self.attribute(STATE)
    }

    /// The password of PAP.
    pub fn password(&self) -> Option<Vec<u8>> {
        let hidden = self.attribute(USER_PASSWORD)?;
        Some(codec::revealed(hidden, &self.authenticator, &self.secret))
    }

    /// Whether CHAP answers its challenge with this password.
    pub fn is_chap_of(&self, password: &[u8]) -> bool {
        let Some((&identifier, response)) = self
            .attribute(CHAP_PASSWORD)
            .and_then(|value| value.split_first())
        else {
            return false;
        };
        let challenge = self.attribute(CHAP_CHALLENGE);
        let challenge = challenge.unwrap_or(&self.authenticator);
        response == codec::chap(identifier, password, challenge)
    }

    /// Whether the password is this one, by PAP or by CHAP.
    pub fn has_password(&self, password: &[u8]) -> bool {
        self.password().as_deref() == Some(password) || self.is_chap_of(password)
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

fn signature(packet: &Packet, secret: &[u8]) -> Signature {
    let is_one = |(kind, _): &&(u8, Vec<u8>)| *kind == MESSAGE_AUTHENTICATOR;
    let all: Vec<_> = packet.attributes.iter().filter(is_one).collect();
    let places = codec::message_authenticators(&packet.attributes);
    match (all.as_slice(), places.as_slice()) {
        ([], _) => Signature::Missing,
        ([(_, value)], [place]) => {
            let right = codec::message_authenticator(&packet.octets, &places, secret);
            if value.as_slice() == right {
                Signature::Right {
                    first: *place == codec::HEADER + 2,
                }
            } else {
                Signature::Wrong
            }
        }
        _ => Signature::Wrong,
    }
}

const _: () = assert!(AUTHENTICATOR == 16);
