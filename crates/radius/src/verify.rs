//! Whether a datagram is an answer of the server's, and to what.
//!
//! The checks go from cheap to dear, and none is left out: length, identifier, code, attributes,
//! presence of a Message-Authenticator, Response Authenticator, Message-Authenticator. Only what
//! passes them all is looked into.

mod packet;

use crate::codec::code;
use crate::reply::{self, Broken, Reply};
use crate::{Authenticator, SharedSecret, digest};
use packet::{Packet, Signature};

/// An answer that the server has signed.
#[derive(Debug)]
pub struct Verified {
    /// The identifier of the request that it answers.
    pub identifier: u8,
    /// Whether it carried a Message-Authenticator, which was right then. Without one, an attacker
    /// on the way can have turned a refusal into this (CVE-2024-3596).
    pub has_message_authenticator: bool,
    /// What it says.
    pub answer: Answer,
}

/// What a signed answer says.
#[derive(Debug)]
pub enum Answer {
    /// What a server may say.
    Reply(Reply),
    /// What it may not: the server is at fault, and the dialogue is over.
    Broken(Broken),
}

/// A signed answer to a Status-Server request. It says that the server is there, and nothing about
/// any login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Alive {
    /// The identifier of the request that it answers.
    pub identifier: u8,
    /// Whether it carried a Message-Authenticator, which was right then. A server whose answers
    /// have none here has none in its answers to logins, as a rule.
    pub has_message_authenticator: bool,
}

/// Why a datagram is as if it had not come. For counters and logs: it ends no wait, because
/// anybody can send one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Discard {
    /// The datagram has fewer than 20 octets (RFC 2865 §3).
    #[error("the datagram is shorter than a packet")]
    TooShort,
    /// The datagram has more than 4,096 octets (RFC 2865 §3).
    #[error("the datagram is longer than a packet")]
    TooLong,
    /// Its Length is under 20, over 4,096, or beyond its end (RFC 2865 §3).
    #[error("the Length is wrong")]
    WrongLength,
    /// Nothing with this identifier is waited for: it is late, came twice, or is made up.
    #[error("nothing with this identifier is pending")]
    UnknownIdentifier,
    /// A Protocol-Error (RFC 7930 §4), which tells nothing about the login. Its signature was not
    /// looked at.
    #[error("a Protocol-Error")]
    ProtocolError,
    /// Another code than an answer has.
    #[error("the code {0} is not that of an answer")]
    UnexpectedCode(u8),
    /// An attribute is shorter than its own header, or runs over the end (RFC 2865 §5).
    #[error("the attributes are malformed")]
    MalformedAttributes,
    /// A Message-Authenticator that has not 18 octets (RFC 3579 §3.2).
    #[error("the Message-Authenticator has a wrong length")]
    MessageAuthenticatorLength,
    /// More than one Message-Authenticator (RFC 3579 §3.2).
    #[error("there is more than one Message-Authenticator")]
    MessageAuthenticatorTwice,
    /// No Message-Authenticator, where one is required.
    #[error("the Message-Authenticator is missing")]
    MessageAuthenticatorMissing,
    /// The Response Authenticator is not that of this answer to this request (RFC 2865 §3).
    #[error("the Response Authenticator is wrong")]
    WrongResponseAuthenticator,
    /// The Message-Authenticator is not that of this answer to this request (RFC 3579 §3.2).
    #[error("the Message-Authenticator is wrong")]
    WrongMessageAuthenticator,
}

/// Verifies what came while Access-Requests are pending.
///
/// `pending` tells the authenticator of the request that is pending with an identifier. It is
/// asked at most once, and the request stays pending: only the caller takes it away, when this
/// succeeds. With `require_message_authenticator` an answer without one is discarded, wherever in
/// the packet a present one may stand.
///
/// # Errors
///
/// A [`Discard`] when it is not a signed answer to that request; the wait goes on.
pub fn verify(
    datagram: &[u8],
    pending: impl FnOnce(u8) -> Option<Authenticator>,
    secret: &SharedSecret,
    require_message_authenticator: bool,
) -> Result<Verified, Discard> {
    let packet = Packet::frame(datagram)?;
    let authenticator = pending(packet.identifier()).ok_or(Discard::UnknownIdentifier)?;
    let kind = reply::Kind::of(packet.code()).ok_or(unexpected(packet.code()))?;
    let signature = packet.signature()?;
    if require_message_authenticator && signature.is_none() {
        return Err(Discard::MessageAuthenticatorMissing);
    }
    authenticate(&packet, signature.as_ref(), &authenticator, secret)?;
    Ok(Verified {
        identifier: packet.identifier(),
        has_message_authenticator: signature.is_some(),
        answer: match reply::read(kind, packet.attributes()) {
            Ok(reply) => Answer::Reply(reply),
            Err(broken) => Answer::Broken(broken),
        },
    })
}

/// Verifies what came while Status-Server requests are pending (RFC 5997 §4.2).
///
/// The answer is an Access-Accept or an Accounting-Response. A Message-Authenticator must be right
/// if it is there; servers that were not told to sign everything leave it out.
///
/// # Errors
///
/// A [`Discard`] when it is not a signed answer to that request; the wait goes on.
pub fn verify_status(
    datagram: &[u8],
    pending: impl FnOnce(u8) -> Option<Authenticator>,
    secret: &SharedSecret,
) -> Result<Alive, Discard> {
    let packet = Packet::frame(datagram)?;
    let authenticator = pending(packet.identifier()).ok_or(Discard::UnknownIdentifier)?;
    if ![code::ACCESS_ACCEPT, code::ACCOUNTING_RESPONSE].contains(&packet.code()) {
        return Err(unexpected(packet.code()));
    }
    let signature = packet.signature()?;
    authenticate(&packet, signature.as_ref(), &authenticator, secret)?;
    Ok(Alive {
        identifier: packet.identifier(),
        has_message_authenticator: signature.is_some(),
    })
}

const fn unexpected(code: u8) -> Discard {
    match code {
        code::PROTOCOL_ERROR => Discard::ProtocolError,
        code => Discard::UnexpectedCode(code),
    }
}

/// Both signatures, as far as they are there. Each covers the request's authenticator, and with it
/// the request.
fn authenticate(
    packet: &Packet<'_>,
    signature: Option<&Signature<'_>>,
    authenticator: &Authenticator,
    secret: &SharedSecret,
) -> Result<(), Discard> {
    let asked = authenticator.as_octets().as_slice();
    let header = packet.header();
    let pieces = [header, asked, packet.body(), secret.expose()];
    if !digest::Md5Digest::of(&pieces).is(packet.authenticator()) {
        return Err(Discard::WrongResponseAuthenticator);
    }
    if let Some(Signature {
        before,
        value,
        after,
    }) = signature
        && !digest::is_signed(
            secret,
            &[header, asked, before, &[0; 16], after],
            value.as_slice(),
        )
    {
        return Err(Discard::WrongMessageAuthenticator);
    }
    Ok(())
}
