//! Requests: what is asked, and how it becomes a datagram.

use std::fmt;
use std::net::IpAddr;

use zeroize::Zeroizing;

use crate::codec::Writer;
use crate::{CallingStationId, Credential, NasIdentifier, SharedSecret, State, UserName};
use crate::{LONGEST_PACKET, digest};

/// What a login asks. Nothing in it is hidden or signed yet, so that it can be encoded anew for
/// another server.
#[derive(Debug)]
pub struct AccessRequest {
    /// Who signs in.
    pub user_name: UserName,
    /// What the server is to check.
    pub credential: Credential,
    /// What the server sent with its challenge, if this answers one. A login that begins has none.
    pub state: Option<State>,
    /// What this client calls itself. Always sent: a request must name its sender (RFC 2865 §4.1).
    pub nas_identifier: NasIdentifier,
    /// NAS-IP-Address (RFC 2865 §5.4) or NAS-IPv6-Address (RFC 3162 §2.1), if one is configured.
    pub nas_ip: Option<IpAddr>,
    /// Where the user comes from.
    pub calling_station_id: Option<CallingStationId>,
}

impl AccessRequest {
    /// The Access-Request (RFC 2865 §4.1), with a Message-Authenticator (RFC 3579 §3.2) as its
    /// first attribute. CHAP always sends its challenge (RFC 2865 §5.40), whose response then does
    /// not depend on the authenticator.
    ///
    /// Authenticator and seed are drawn for this datagram; what is sent again is the datagram.
    ///
    /// # Errors
    ///
    /// When it does not fit into a packet, which the types of its parts rule out.
    pub fn encode(
        &self,
        identifier: u8,
        authenticator: &Authenticator,
        chap: &ChapSeed,
        secret: &SharedSecret,
    ) -> Result<Datagram, EncodeError> {
        let mut writer = Writer::access_request(identifier, authenticator)?;
        writer.user_name(&self.user_name);
        match &self.credential {
            Credential::Pap(password) => {
                writer.user_password(&password.hidden(secret, authenticator));
            }
            Credential::Chap(password) => {
                writer.chap_password(&password.chap_response(chap));
                writer.chap_challenge(chap.challenge());
            }
        }
        if let Some(state) = &self.state {
            writer.state(state);
        }
        writer.nas_identifier(&self.nas_identifier);
        if let Some(address) = self.nas_ip {
            writer.nas_ip(address);
        }
        if let Some(station) = &self.calling_station_id {
            writer.calling_station_id(station);
        }
        sign(writer, secret)
    }
}

/// A Status-Server request (RFC 5997 §4.1): asks whether anybody is there, and nothing else.
///
/// It is never sent twice: each has an identifier and an authenticator of its own.
///
/// # Errors
///
/// When it does not fit into a packet, which the types of its parts rule out.
pub fn encode_status_server(
    identifier: u8,
    authenticator: &Authenticator,
    nas_identifier: Option<&NasIdentifier>,
    secret: &SharedSecret,
) -> Result<Datagram, EncodeError> {
    let mut writer = Writer::status_server(identifier, authenticator)?;
    if let Some(name) = nas_identifier {
        writer.nas_identifier(name);
    }
    sign(writer, secret)
}

/// Where the value of a Message-Authenticator that comes first stands.
const SIGNATURE: std::ops::Range<usize> = 22..38;

/// Fills in the Message-Authenticator, which the writer has left zero.
fn sign(writer: Writer, secret: &SharedSecret) -> Result<Datagram, EncodeError> {
    let mut octets = Zeroizing::new(writer.finish()?);
    if octets.len() > LONGEST_PACKET {
        return Err(EncodeError::TooLong);
    }
    let signature = digest::sign(secret, &[&octets]).ok_or(EncodeError::Codec)?;
    let place = octets.get_mut(SIGNATURE).ok_or(EncodeError::Codec)?;
    place.copy_from_slice(&signature);
    Ok(Datagram(octets))
}

/// A request as it goes on the wire. Not printed, and wiped when dropped.
pub struct Datagram(Zeroizing<Vec<u8>>);

impl Datagram {
    /// The octets to send; the same ones to send again.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagram({} octets)", self.0.len())
    }
}

/// A Request Authenticator (RFC 2865 §3): 16 octets that nobody could foresee, never used twice
/// with the same secret.
#[derive(Clone, Copy)]
pub struct Authenticator([u8; 16]);

impl Authenticator {
    /// Takes 16 octets of the operating system's generator.
    pub const fn from_random(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub const fn as_octets(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator(…)")
    }
}

/// The CHAP identifier and challenge of one request (RFC 2865 §2.2), both random.
#[derive(Clone, Copy)]
pub struct ChapSeed {
    identifier: u8,
    challenge: [u8; 16],
}

impl ChapSeed {
    /// Takes 17 octets of the operating system's generator.
    pub const fn from_random(octets: [u8; 17]) -> Self {
        let [identifier, challenge @ ..] = octets;
        Self {
            identifier,
            challenge,
        }
    }

    pub(crate) const fn identifier(&self) -> u8 {
        self.identifier
    }

    pub(crate) const fn challenge(&self) -> &[u8; 16] {
        &self.challenge
    }
}

impl fmt::Debug for ChapSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChapSeed(…)")
    }
}

/// Why a request has no datagram. A fault of the program's: types keep it from happening.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It would be longer than a packet may be.
    #[error("the request is longer than 4,096 octets")]
    TooLong,
    /// The codec refused it.
    #[error("the request cannot be encoded")]
    Codec,
}
