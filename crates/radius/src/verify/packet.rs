//! A received packet, octet by octet: taken apart without a copy, and never beyond its end.

use super::Discard;
use crate::LONGEST_PACKET;
use crate::codec::kind;

/// Octets before the attributes.
const HEADER: usize = 20;

/// A packet whose lengths are right. Nobody has signed it yet.
pub(super) struct Packet<'a> {
    /// Code, identifier and Length.
    header: &'a [u8; 4],
    authenticator: &'a [u8; 16],
    /// The attributes, and nothing of what may follow them.
    body: &'a [u8],
}

/// A Message-Authenticator, and what it stands between: its own header belongs to `before`.
pub(super) struct Signature<'a> {
    pub(super) before: &'a [u8],
    pub(super) value: &'a [u8; 16],
    pub(super) after: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks the lengths, and cuts off what follows the packet (RFC 2865 §3).
    pub(super) fn frame(datagram: &'a [u8]) -> Result<Self, Discard> {
        if datagram.len() > LONGEST_PACKET {
            return Err(Discard::TooLong);
        }
        let (header, rest) = datagram.split_first_chunk().ok_or(Discard::TooShort)?;
        let (authenticator, rest) = rest.split_first_chunk().ok_or(Discard::TooShort)?;
        let [_, _, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = length.checked_sub(HEADER).ok_or(Discard::WrongLength)?;
        Ok(Self {
            header,
            authenticator,
            body: rest.get(..body).ok_or(Discard::WrongLength)?,
        })
    }

    pub(super) const fn code(&self) -> u8 {
        let [code, ..] = *self.header;
        code
    }

    pub(super) const fn identifier(&self) -> u8 {
        let [_, identifier, ..] = *self.header;
        identifier
    }

    pub(super) const fn header(&self) -> &'a [u8] {
        self.header
    }

    pub(super) const fn authenticator(&self) -> &'a [u8] {
        self.authenticator
    }

    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Walks all attributes, and finds the Message-Authenticator among them.
    pub(super) fn signature(&self) -> Result<Option<Signature<'a>>, Discard> {
        let mut walk = Attributes { rest: self.body };
        let mut found = None;
        while let Some((of, value)) = walk
            .step()
            .map_err(|Malformed| Discard::MalformedAttributes)?
        {
            if of != kind::MESSAGE_AUTHENTICATOR {
                continue;
            }
            let value = value
                .try_into()
                .map_err(|_| Discard::MessageAuthenticatorLength)?;
            let end = self.body.len() - walk.rest.len();
            let signature = Signature {
                before: self.body.get(..end - 16).unwrap_or_default(),
                value,
                after: walk.rest,
            };
            if found.replace(signature).is_some() {
                return Err(Discard::MessageAuthenticatorTwice);
            }
        }
        Ok(found)
    }

    /// The attributes, types and values. They end where one is malformed, which none is after
    /// [`Self::signature`] has walked them.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut walk = Attributes { rest: self.body };
        std::iter::from_fn(move || walk.step().unwrap_or_default())
    }
}

/// What is left of the attributes.
struct Attributes<'a> {
    rest: &'a [u8],
}

/// An attribute that is shorter than its header, or longer than what is left.
struct Malformed;

impl<'a> Attributes<'a> {
    /// The next attribute, if there is one (RFC 2865 §5).
    fn step(&mut self) -> Result<Option<(u8, &'a [u8])>, Malformed> {
        let (kind, length) = match *self.rest {
            [] => return Ok(None),
            [_] => return Err(Malformed),
            [kind, length, ..] => (kind, usize::from(length)),
        };
        let value = self.rest.get(2..length).ok_or(Malformed)?;
        self.rest = self.rest.get(length..).ok_or(Malformed)?;
        Ok(Some((kind, value)))
    }
}
