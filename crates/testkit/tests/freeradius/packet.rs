//! A RADIUS client of few lines, which shares no code with that of the product.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an answer that cannot be read fails the test"
)]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use vestibule_testkit::freeradius::FreeRadius;

pub(crate) const ACCESS_REQUEST: u8 = 1;
pub(crate) const ACCEPT: u8 = 2;
pub(crate) const REJECT: u8 = 3;
pub(crate) const CHALLENGE: u8 = 11;
pub(crate) const STATUS_SERVER: u8 = 12;

pub(crate) const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const CHAP_PASSWORD: u8 = 3;
pub(crate) const REPLY_MESSAGE: u8 = 18;
pub(crate) const STATE: u8 = 24;
const CHAP_CHALLENGE: u8 = 60;
const MESSAGE_AUTHENTICATOR: u8 = 80;

/// How the password is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Pap,
    Chap,
}

pub(crate) const PROTOCOLS: [Protocol; 2] = [Protocol::Pap, Protocol::Chap];

/// A packet that is being made, but for its Message-Authenticator.
#[derive(Debug)]
pub(crate) struct Request {
    code: u8,
    identifier: u8,
    authenticator: [u8; 16],
    attributes: Vec<u8>,
}

impl Request {
    pub(crate) fn new(code: u8) -> Self {
        static IDENTIFIER: AtomicU8 = AtomicU8::new(0);
        let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed);
        Self {
            code,
            identifier,
            authenticator: md5(&[&[identifier], &std::process::id().to_be_bytes()]),
            attributes: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, attribute: u8, value: &[u8]) -> Self {
        let length = u8::try_from(value.len() + 2).expect("it fits");
        self.attributes.extend([attribute, length]);
        self.attributes.extend(value);
        self
    }

    /// A login of this user, with a password or the answer to a challenge.
    pub(crate) fn login(
        server: &FreeRadius,
        protocol: Protocol,
        name: &str,
        password: &str,
    ) -> Self {
        let request = Self::new(ACCESS_REQUEST).with(USER_NAME, name.as_bytes());
        match protocol {
            Protocol::Pap => {
                let hidden = request.hidden(server.secret(), password);
                request.with(USER_PASSWORD, &hidden)
            }
            Protocol::Chap => {
                let challenge = md5(&[b"challenge", &request.authenticator]);
                let response = md5(&[&[7], password.as_bytes(), &challenge]);
                request
                    .with(CHAP_PASSWORD, &[&[7][..], &response].concat())
                    .with(CHAP_CHALLENGE, &challenge)
            }
        }
    }

    pub(crate) fn take_the_identifier_of(&mut self, request: &[u8]) {
        self.identifier = request[1];
    }

    /// RFC 2865, section 5.2.
    fn hidden(&self, secret: &str, password: &str) -> Vec<u8> {
        let mut padded = password.as_bytes().to_vec();
        padded.resize(padded.len().next_multiple_of(16).max(16), 0);
        let mut before = self.authenticator;
        for block in padded.chunks_mut(16) {
            let mask = md5(&[secret.as_bytes(), &before]);
            for (byte, mask) in block.iter_mut().zip(mask) {
                *byte ^= mask;
            }
            before.copy_from_slice(block);
        }
        padded
    }

    /// Its bytes, signed.
    pub(crate) fn signed(self, secret: &str) -> Vec<u8> {
        let request = self.with(MESSAGE_AUTHENTICATOR, &[0; 16]);
        let mut bytes = request.bytes();
        let signature = hmac(secret, &bytes);
        let at = bytes.len() - 16;
        bytes[at..].copy_from_slice(&signature);
        bytes
    }

    /// Its bytes as they are.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u16::try_from(20 + self.attributes.len()).expect("it fits");
        let header = [&[self.code, self.identifier][..], &length.to_be_bytes()].concat();
        [&header, &self.authenticator[..], &self.attributes].concat()
    }
}

/// A verified answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    pub(crate) is_signed: bool,
    attributes: Vec<(u8, Vec<u8>)>,
}

impl Answer {
    /// The values of an attribute, in order.
    pub(crate) fn all(&self, attribute: u8) -> Vec<Vec<u8>> {
        let of_kind = self
            .attributes
            .iter()
            .filter(|(kind, _)| *kind == attribute);
        of_kind.map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let text = |value| String::from_utf8(value).expect("it is UTF-8");
        self.all(REPLY_MESSAGE).into_iter().map(text).collect()
    }

    pub(crate) fn state(&self) -> Vec<u8> {
        self.all(STATE).pop().expect("there is a State")
    }

    fn parsed(request: &[u8], mut bytes: Vec<u8>, secret: &str) -> Self {
        let digest = md5(&[
            &bytes[..4],
            &request[4..20],
            &bytes[20..],
            secret.as_bytes(),
        ]);
        assert_eq!(bytes[1], request[1], "the identifier");
        assert_eq!(bytes[4..20], digest, "the Response Authenticator");
        bytes[4..20].copy_from_slice(&request[4..20]);
        let (mut at, mut attributes, mut signature) = (20, Vec::new(), None);
        while at < bytes.len() {
            let (kind, end) = (bytes[at], at + usize::from(bytes[at + 1]));
            let value = bytes[at + 2..end].to_vec();
            if kind == MESSAGE_AUTHENTICATOR {
                bytes[at + 2..end].fill(0);
                signature = Some(value.clone());
            }
            attributes.push((kind, value));
            at = end;
        }
        if let Some(signature) = &signature {
            assert_eq!(
                signature[..],
                hmac(secret, &bytes),
                "the Message-Authenticator"
            );
        }
        Self {
            code: bytes[0],
            is_signed: signature.is_some(),
            attributes,
        }
    }
}

/// A socket from which requests are sent to one server.
#[derive(Debug)]
pub(crate) struct Client {
    socket: UdpSocket,
    secret: String,
}

impl Client {
    pub(crate) fn of(server: &FreeRadius) -> Self {
        let source: IpAddr = match server.address() {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        Self::from_source(source, server)
    }

    pub(crate) fn from_source(source: IpAddr, server: &FreeRadius) -> Self {
        let socket = UdpSocket::bind((source, 0)).expect("the loopback is there");
        socket.connect(server.address()).expect("it has a route");
        Self {
            socket,
            secret: server.secret().to_owned(),
        }
    }

    pub(crate) fn send(&self, request: &[u8]) {
        self.socket.send(request).expect("it can be sent");
    }

    /// The answer to a request that was sent.
    #[track_caller]
    pub(crate) fn answer(&self, request: &[u8]) -> Answer {
        let answer = self.wait(Duration::from_secs(20)).expect("an answer");
        Answer::parsed(request, answer, &self.secret)
    }

    /// Sends a request and waits for its answer.
    #[track_caller]
    pub(crate) fn ask(&self, request: &[u8]) -> Answer {
        self.send(request);
        self.answer(request)
    }

    /// What comes within a third of a second: nothing, an error, or a datagram.
    pub(crate) fn silence(&self) -> Result<(), ErrorKind> {
        match self.wait(Duration::from_millis(300)) {
            Ok(_) => Err(ErrorKind::Other),
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A datagram, or the error of the socket. The kernel ends a read that has a timeout when the
    /// machine is stopped and goes on (`signal(7)`): such a read is begun again.
    fn wait(&self, patience: Duration) -> Result<Vec<u8>, ErrorKind> {
        let set = self.socket.set_read_timeout(Some(patience));
        set.expect("it is not zero");
        let mut buffer = vec![0; 4096];
        loop {
            match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.kind()),
                Ok(length) => {
                    buffer.truncate(length);
                    return Ok(buffer);
                }
            }
        }
    }
}

/// A login from a socket of its own.
#[track_caller]
pub(crate) fn login(server: &FreeRadius, protocol: Protocol, name: &str, password: &str) -> Answer {
    let request = Request::login(server, protocol, name, password);
    Client::of(server).ask(&request.signed(server.secret()))
}

/// The answer to a challenge, from a socket of its own.
#[track_caller]
pub(crate) fn go_on(server: &FreeRadius, protocol: Protocol, state: &[u8], code: &str) -> Answer {
    let request = Request::login(server, protocol, "otp", code).with(STATE, state);
    Client::of(server).ask(&request.signed(server.secret()))
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

fn hmac(secret: &str, packet: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(packet);
    mac.finalize().into_bytes().into()
}
