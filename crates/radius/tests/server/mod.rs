//! The other side: reads requests and signs answers, without any code of this crate's.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "shared by crates that need different parts; the lints' exception for tests does not \
              reach helpers"
)]

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

pub(crate) const ACCEPT: u8 = 2;
pub(crate) const REJECT: u8 = 3;
pub(crate) const CHALLENGE: u8 = 11;

pub(crate) const REPLY_MESSAGE: u8 = 18;
pub(crate) const STATE: u8 = 24;
pub(crate) const MESSAGE_AUTHENTICATOR: u8 = 80;

/// A server that knows a secret.
pub(crate) struct Server<'a> {
    pub(crate) secret: &'a [u8],
    /// The authenticator of the request that it answers.
    pub(crate) asked: [u8; 16],
    pub(crate) identifier: u8,
}

impl Server<'_> {
    /// An answer with a Message-Authenticator that comes first.
    pub(crate) fn signed(&self, code: u8, attributes: &[u8]) -> Vec<u8> {
        let body = [&attribute(MESSAGE_AUTHENTICATOR, &[0; 16]), attributes].concat();
        self.seal(code, &body, Some(2))
    }

    /// An answer with a Response Authenticator only.
    pub(crate) fn unsigned(&self, code: u8, attributes: &[u8]) -> Vec<u8> {
        self.seal(code, attributes, None)
    }

    /// Signs what there is. `place` is where the value of a Message-Authenticator stands in the
    /// body, which is zero still.
    pub(crate) fn seal(&self, code: u8, body: &[u8], place: Option<usize>) -> Vec<u8> {
        let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
        let header = [code, self.identifier, length[0], length[1]];
        let mut packet = [&header, self.asked.as_slice(), body].concat();
        if let Some(place) = place {
            let mut hmac = Hmac::<Md5>::new_from_slice(self.secret).unwrap();
            hmac.update(&packet);
            let value: [u8; 16] = hmac.finalize().into_bytes().into();
            packet[20 + place..][..16].copy_from_slice(&value);
        }
        self.authenticate(&mut packet);
        packet
    }

    /// Puts the right Response Authenticator over whatever the packet is.
    pub(crate) fn authenticate(&self, packet: &mut [u8]) {
        let mut md5 = Md5::new();
        md5.update(&packet[..4]);
        md5.update(self.asked);
        md5.update(&packet[20..]);
        md5.update(self.secret);
        packet[4..20].copy_from_slice(&md5.finalize());
    }
}

/// An attribute.
pub(crate) fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 2).unwrap();
    [&[kind, length], value].concat()
}

/// The attributes of a packet that is well formed.
pub(crate) fn attributes(packet: &[u8]) -> Vec<(u8, &[u8])> {
    let mut rest = &packet[20..];
    let mut all = Vec::new();
    while let [kind, length, ..] = *rest {
        all.push((kind, &rest[2..usize::from(length)]));
        rest = &rest[usize::from(length)..];
    }
    all
}

/// The value of an attribute that is there once.
#[track_caller]
pub(crate) fn only(packet: &[u8], kind: u8) -> &[u8] {
    let all = attributes(packet);
    let mut values = all.into_iter().filter(|(this, _)| *this == kind);
    let (_, value) = values.next().expect("it is there");
    assert!(values.next().is_none(), "it is there once");
    value
}

/// The HMAC-MD5 that a request should carry as the value of its Message-Authenticator.
pub(crate) fn message_authenticator(request: &[u8], secret: &[u8]) -> [u8; 16] {
    let mut request = request.to_vec();
    let mut at = 20;
    while request[at] != MESSAGE_AUTHENTICATOR {
        at += usize::from(request[at + 1]);
    }
    request[at + 2..at + 18].fill(0);
    let mut hmac = Hmac::<Md5>::new_from_slice(secret).unwrap();
    hmac.update(&request);
    hmac.finalize().into_bytes().into()
}

/// The octets of a text in hexadecimal.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
