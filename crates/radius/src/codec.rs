//! The layout of packets that are sent, by the `radius` crate, which no other module knows.
//!
//! It gets neither the shared secret nor a password: it keeps copies of what it gets, and does not
//! wipe them. What it would hide or sign is hidden and signed before and after.

use std::net::IpAddr;

use radius::core::avp::AVP;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2869, rfc3162};

use crate::{Authenticator, CallingStationId, EncodeError, NasIdentifier, State, UserName};

/// The codes of packets (RFC 2865 §3, RFC 5997 §2).
pub(crate) mod code {
    pub(crate) const ACCESS_REQUEST: u8 = 1;
    pub(crate) const ACCESS_ACCEPT: u8 = 2;
    pub(crate) const ACCESS_REJECT: u8 = 3;
    pub(crate) const ACCOUNTING_RESPONSE: u8 = 5;
    pub(crate) const ACCESS_CHALLENGE: u8 = 11;
    pub(crate) const STATUS_SERVER: u8 = 12;
    pub(crate) const PROTOCOL_ERROR: u8 = 52;
}

/// The types of attributes that are read.
pub(crate) mod kind {
    use radius::core::{rfc2865, rfc2869};

    pub(crate) const REPLY_MESSAGE: u8 = rfc2865::REPLY_MESSAGE_TYPE;
    pub(crate) const STATE: u8 = rfc2865::STATE_TYPE;
    pub(crate) const CLASS: u8 = rfc2865::CLASS_TYPE;
    pub(crate) const SESSION_TIMEOUT: u8 = rfc2865::SESSION_TIMEOUT_TYPE;
    pub(crate) const PROMPT: u8 = rfc2869::PROMPT_TYPE;
    pub(crate) const MESSAGE_AUTHENTICATOR: u8 = rfc2869::MESSAGE_AUTHENTICATOR_TYPE;
}

/// A request that is being written. It begins with a Message-Authenticator of zeros.
pub(crate) struct Writer(Packet);

impl Writer {
    pub(crate) fn access_request(
        id: u8,
        authenticator: &Authenticator,
    ) -> Result<Self, EncodeError> {
        Self::new(code::ACCESS_REQUEST, id, authenticator)
    }

    pub(crate) fn status_server(
        id: u8,
        authenticator: &Authenticator,
    ) -> Result<Self, EncodeError> {
        Self::new(code::STATUS_SERVER, id, authenticator)
    }

    /// The crate draws authenticators itself, except in what it decodes: so it decodes a header.
    fn new(code: u8, identifier: u8, authenticator: &Authenticator) -> Result<Self, EncodeError> {
        let header = [
            &[code, identifier, 0, 20],
            authenticator.as_octets().as_slice(),
        ]
        .concat();
        let mut packet = Packet::decode(&header, &[]).map_err(|_| EncodeError::Codec)?;
        rfc2869::add_message_authenticator(&mut packet, &[0; 16]);
        Ok(Self(packet))
    }

    pub(crate) fn user_name(&mut self, name: &UserName) {
        rfc2865::add_user_name(&mut self.0, name.as_str());
    }

    /// A password that is hidden already.
    pub(crate) fn user_password(&mut self, hidden: &[u8]) {
        self.0
            .add(AVP::from_bytes(rfc2865::USER_PASSWORD_TYPE, hidden));
    }

    pub(crate) fn chap_password(&mut self, response: &[u8; 17]) {
        rfc2865::add_chap_password(&mut self.0, response);
    }

    pub(crate) fn chap_challenge(&mut self, challenge: &[u8; 16]) {
        rfc2865::add_chap_challenge(&mut self.0, challenge);
    }

    pub(crate) fn state(&mut self, state: &State) {
        rfc2865::add_state(&mut self.0, state.as_octets());
    }

    pub(crate) fn nas_identifier(&mut self, name: &NasIdentifier) {
        rfc2865::add_nas_identifier(&mut self.0, name.as_str());
    }

    pub(crate) fn nas_ip(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => rfc2865::add_nas_ip_address(&mut self.0, &address),
            IpAddr::V6(address) => rfc3162::add_nas_ipv6_address(&mut self.0, &address),
        }
    }

    pub(crate) fn calling_station_id(&mut self, station: &CallingStationId) {
        rfc2865::add_calling_station_id(&mut self.0, station.as_str());
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, EncodeError> {
        self.0.encode().map_err(|_| EncodeError::Codec)
    }
}
