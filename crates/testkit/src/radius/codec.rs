//! The packets of RFC 2865 and the two authenticators, once more and on their own.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

use super::attribute::MESSAGE_AUTHENTICATOR;

/// The octets before the attributes.
pub(super) const HEADER: usize = 20;
/// The octets of an authenticator.
pub(super) const AUTHENTICATOR: usize = 16;

/// Type and value.
pub(super) type Attribute = (u8, Vec<u8>);

/// A packet taken apart.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) code: u8,
    pub(super) identifier: u8,
    pub(super) authenticator: [u8; AUTHENTICATOR],
    pub(super) attributes: Vec<Attribute>,
    /// Its octets without what follows its length.
    pub(super) octets: Vec<u8>,
}

/// Takes a datagram apart, if it is a packet.
pub(super) fn read(datagram: &[u8]) -> Option<Packet> {
    let (&code, &identifier) = (datagram.first()?, datagram.get(1)?);
    let length = u16::from_be_bytes(datagram.get(2..4)?.try_into().ok()?);
    if !(20..=4096).contains(&length) {
        return None;
    }
    let octets = datagram.get(..usize::from(length))?;
    let mut attributes = Vec::new();
    let mut rest = octets.get(HEADER..)?;
    while let Some((&kind, after)) = rest.split_first() {
        let length = usize::from(*after.first()?);
        attributes.push((kind, rest.get(2..length)?.to_vec()));
        rest = rest.get(length..)?;
    }
    Some(Packet {
        code,
        identifier,
        authenticator: octets.get(4..HEADER)?.try_into().ok()?,
        attributes,
        octets: octets.to_vec(),
    })
}

/// Puts a packet together.
pub(super) fn write(
    code: u8,
    identifier: u8,
    authenticator: [u8; AUTHENTICATOR],
    attributes: &[Attribute],
) -> Vec<u8> {
    let mut octets = vec![code, identifier, 0, 0];
    octets.extend(authenticator);
    for (kind, value) in attributes {
        let length = u8::try_from(value.len() + 2).expect("an attribute has 253 octets at most");
        octets.extend([*kind, length]);
        octets.extend(value);
    }
    set_length(&mut octets);
    octets
}

/// Writes how many octets there are into the header.
pub(super) fn set_length(octets: &mut [u8]) {
    let length = u16::try_from(octets.len()).expect("a datagram is shorter than 64 KiB");
    if let Some(field) = octets.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

/// Where the values of all Message-Authenticators of 16 octets begin.
pub(super) fn message_authenticators(attributes: &[Attribute]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = HEADER;
    for (kind, value) in attributes {
        if *kind == MESSAGE_AUTHENTICATOR && value.len() == AUTHENTICATOR {
            places.push(at + 2);
        }
        at += value.len() + 2;
    }
    places
}

/// RFC 3579 section 3.2: over the packet with the values at these places zero.
pub(super) fn message_authenticator(
    octets: &[u8],
    places: &[usize],
    secret: &[u8],
) -> [u8; AUTHENTICATOR] {
    let mut zeroed = octets.to_vec();
    for place in places {
        if let Some(value) = zeroed.get_mut(*place..place + AUTHENTICATOR) {
            value.fill(0);
        }
    }
    let mut mac = Hmac::<Md5>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&zeroed);
    mac.finalize().into_bytes().into()
}

/// RFC 2865 section 3: over the answer with the authenticator of the request in its header.
pub(super) fn response_authenticator(octets: &[u8], secret: &[u8]) -> [u8; AUTHENTICATOR] {
    Md5::new()
        .chain_update(octets)
        .chain_update(secret)
        .finalize()
        .into()
}

/// RFC 2865 section 5.2, backwards, without the padding.
pub(super) fn revealed(
    hidden: &[u8],
    authenticator: &[u8; AUTHENTICATOR],
    secret: &[u8],
) -> Vec<u8> {
    let mut password = Vec::with_capacity(hidden.len());
    let mut previous: &[u8] = authenticator;
    for block in hidden.chunks(AUTHENTICATOR) {
        let pad = Md5::new()
            .chain_update(secret)
            .chain_update(previous)
            .finalize();
        password.extend(block.iter().zip(pad).map(|(octet, pad)| octet ^ pad));
        previous = block;
    }
    while password.last() == Some(&0) {
        password.pop();
    }
    password
}

/// RFC 2865 section 5.3: what answers a challenge.
pub(super) fn chap(identifier: u8, password: &[u8], challenge: &[u8]) -> [u8; AUTHENTICATOR] {
    Md5::new()
        .chain_update([identifier])
        .chain_update(password)
        .chain_update(challenge)
        .finalize()
        .into()
}
