//! What a handler may do with a request, and the wrong ways to answer it.

use std::time::Duration;

use super::attribute::{MESSAGE_AUTHENTICATOR, REPLY_MESSAGE, STATE, VENDOR_SPECIFIC};
use super::code;
use super::codec::{self, AUTHENTICATOR, Attribute, HEADER};
use super::received::Received;

/// What to do. A handler that says nothing leaves the request without an answer.
#[derive(Clone, Debug)]
pub enum Action {
    /// Answer at once.
    Send(Answer),
    /// Answer after a while of tokio's time.
    After(Duration, Answer),
    /// Answer when the test releases it.
    Hold(Answer),
    /// No answer.
    Silence,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The socket that was asked.
    Own,
    /// Another port of its address.
    OtherPort,
    /// The same port of another address of the loopback, `127.0.0.9`.
    OtherAddress,
}

/// What is wrong with an answer. All but the named flaw is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// One bit of the Response Authenticator.
    ResponseAuthenticator,
    /// One bit of the Message-Authenticator; the Response Authenticator covers it.
    MessageAuthenticator,
    /// No Message-Authenticator.
    Unsigned,
    /// Two of them, each right.
    SignedTwice,
    /// A Message-Authenticator with an octet less.
    ShortMessageAuthenticator,
    /// Made with another secret.
    Secret(Vec<u8>),
    /// Made for another Request Authenticator.
    OtherRequest,
    /// The identifier of another request.
    Identifier,
    /// Octets that are no packet, this many.
    Noise(usize),
    /// The request, sent back.
    Echo,
    /// The last octet is missing, and the length field knows nothing of it.
    Cut,
    /// A length field under 20.
    LengthField,
    /// An attribute of length 0.
    EmptyAttribute,
    /// An attribute that ends after the packet.
    LongAttribute,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    code: u8,
    attributes: Vec<Attribute>,
    flaw: Option<Flaw>,
    pub(super) origin: Origin,
    pub(super) times: usize,
    padding: usize,
    length: Option<usize>,
}

impl Answer {
    /// An answer with any code.
    pub fn coded(code: u8) -> Self {
        Self {
            code,
            attributes: Vec::new(),
            flaw: None,
            origin: Origin::Own,
            times: 1,
            padding: 0,
            length: None,
        }
    }

    /// Access-Accept.
    pub fn accept() -> Self {
        Self::coded(code::ACCEPT)
    }

    /// Access-Reject.
    pub fn reject() -> Self {
        Self::coded(code::REJECT)
    }

    /// Access-Challenge, without State unless [`Answer::state`] adds it.
    pub fn challenge() -> Self {
        Self::coded(code::CHALLENGE)
    }

    /// Protocol-Error, RFC 7930 section 4.
    pub fn protocol_error() -> Self {
        Self::coded(code::PROTOCOL_ERROR)
    }

    /// With an attribute more.
    pub fn with(mut self, kind: u8, value: &[u8]) -> Self {
        self.attributes.push((kind, value.to_vec()));
        self
    }

    /// With a State more: two are wrong, and possible.
    pub fn state(self, state: &[u8]) -> Self {
        self.with(STATE, state)
    }

    /// With a Reply-Message more.
    pub fn message(self, text: &str) -> Self {
        self.with(REPLY_MESSAGE, text.as_bytes())
    }

    /// Wrong in this way.
    pub fn flawed(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// From there.
    pub fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// As often.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// With this many octets after the packet, which a client ignores.
    pub fn padded(mut self, octets: usize) -> Self {
        self.padding = octets;
        self
    }

    /// Filled with vendors' attributes to this many octets; over 4096 is wrong.
    pub fn filled_to(mut self, octets: usize) -> Self {
        self.length = Some(octets);
        self
    }

    /// Whether nothing is wrong with it, but what it says.
    pub(super) fn is_genuine(&self) -> bool {
        self.flaw.is_none() && self.origin == Origin::Own
    }

    /// The datagram.
    pub(super) fn octets(&self, request: &Received) -> Vec<u8> {
        match &self.flaw {
            Some(Flaw::Noise(length)) => return noise(*length, request),
            Some(Flaw::Echo) => return request.octets.clone(),
            _ => {}
        }
        let secret = match &self.flaw {
            Some(Flaw::Secret(secret)) => secret,
            _ => request.secret(),
        };
        let attributes = self.all_attributes();
        let mut authenticator = request.authenticator;
        if self.flaw == Some(Flaw::OtherRequest) {
            flip(&mut authenticator, 0);
        }
        let identifier = match self.flaw {
            Some(Flaw::Identifier) => request.identifier.wrapping_add(1),
            _ => request.identifier,
        };
        let mut octets = codec::write(self.code, identifier, authenticator, &attributes);
        self.damage_attributes(&mut octets);
        let places = codec::message_authenticators(&attributes);
        let mac = codec::message_authenticator(&octets, &places, secret);
        for place in places {
            if let Some(value) = octets.get_mut(place..place + AUTHENTICATOR) {
                value.copy_from_slice(&mac);
            }
            if self.flaw == Some(Flaw::MessageAuthenticator) {
                flip(&mut octets, place);
            }
        }
        let response = codec::response_authenticator(&octets, secret);
        if let Some(field) = octets.get_mut(4..HEADER) {
            field.copy_from_slice(&response);
        }
        if self.flaw == Some(Flaw::ResponseAuthenticator) {
            flip(&mut octets, 4);
        }
        if self.flaw == Some(Flaw::Cut) {
            octets.pop();
        }
        octets.resize(octets.len() + self.padding, 0xaa);
        octets
    }

    /// Those of the test, after what signs them, and before what fills up.
    fn all_attributes(&self) -> Vec<Attribute> {
        let signature = match self.flaw {
            Some(Flaw::Unsigned) => vec![],
            Some(Flaw::SignedTwice) => vec![AUTHENTICATOR; 2],
            Some(Flaw::ShortMessageAuthenticator) => vec![AUTHENTICATOR - 1],
            _ => vec![AUTHENTICATOR],
        };
        let signature = signature.into_iter();
        let mut all: Vec<Attribute> = signature
            .map(|length| (MESSAGE_AUTHENTICATOR, vec![0; length]))
            .chain(self.attributes.iter().cloned())
            .collect();
        if matches!(self.flaw, Some(Flaw::EmptyAttribute | Flaw::LongAttribute)) {
            all.push((VENDOR_SPECIFIC, vec![0; 6]));
        }
        let used: usize = all.iter().map(|(_, value)| value.len() + 2).sum();
        let mut missing = self.length.unwrap_or(0).saturating_sub(HEADER + used);
        while missing > 0 {
            // Never leaves a single octet, which no attribute fits.
            let attribute = if missing == 256 {
                250
            } else {
                missing.min(255)
            };
            all.push((VENDOR_SPECIFIC, vec![0; attribute.saturating_sub(2)]));
            missing = missing.saturating_sub(attribute);
        }
        all
    }

    /// What is wrong before it is signed: so nothing but the flaw speaks against the answer.
    fn damage_attributes(&self, octets: &mut [u8]) {
        let last_length = octets.len().saturating_sub(7);
        let (at, value) = match self.flaw {
            Some(Flaw::LengthField) => (3, 19),
            Some(Flaw::EmptyAttribute) => (last_length, 0),
            Some(Flaw::LongAttribute) => (last_length, 9),
            _ => return,
        };
        if let Some(octet) = octets.get_mut(at) {
            *octet = value;
        }
    }
}

impl From<Answer> for Action {
    fn from(answer: Answer) -> Self {
        Self::Send(answer)
    }
}

fn flip(octets: &mut [u8], at: usize) {
    if let Some(octet) = octets.get_mut(at) {
        *octet ^= 1;
    }
}

/// Octets without a meaning, for the identifier that is asked for: what gets furthest.
fn noise(length: usize, request: &Received) -> Vec<u8> {
    let mut state = u32::from_be_bytes([1, 2, 3, request.identifier]);
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let mut octets: Vec<u8> = random.take(length).collect();
    if let Some(identifier) = octets.get_mut(1) {
        *identifier = request.identifier;
    }
    octets
}
