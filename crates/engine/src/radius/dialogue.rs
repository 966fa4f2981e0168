//! A dialogue: what is kept between two rounds with a RADIUS server.

use std::net::SocketAddr;
use std::time::Duration;

use subtle::ConstantTimeEq as _;

use crate::budget::Reservation;
use crate::{MfaProviderId, Timestamp};

/// Requests of one dialogue, the first included; a server that then asks still has refused.
pub const MOST_ROUNDS: u8 = 5;
/// For how long an answer is waited for when the server does not say (RFC 2865 section 5.27).
pub const ANSWER_WITHIN: Duration = Duration::from_mins(2);
/// For how long an answer is waited for at most, whatever the server says.
pub const LONGEST_ANSWER: Duration = Duration::from_mins(5);

/// The octets of a State attribute (RFC 2865 section 5.24), which are the server's own. They do
/// not print.
#[derive(Clone, Eq, PartialEq)]
pub struct RadiusState(Vec<u8>);

impl RadiusState {
    /// The octets as the server sent them.
    pub const fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The octets, to be sent back as they are.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for RadiusState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RadiusState(…)")
    }
}

/// What stands for a dialogue outside: random octets, the same over all rounds. They do not print.
#[derive(Clone, Copy)]
pub struct Handle([u8; Self::LENGTH]);

impl Handle {
    /// Octets of a handle.
    pub const LENGTH: usize = 16;

    /// A handle from random octets of the caller's.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// What a client sent back; never equal to any handle when it is of another length.
    pub fn claimed(bytes: &[u8]) -> ClaimedHandle {
        ClaimedHandle(bytes.try_into().ok().map(Self))
    }

    /// The octets that the client gets.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle(…)")
    }
}

/// What a client says is the handle of its dialogue.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedHandle(Option<Handle>);

/// What is kept between two rounds, sealed with the partial token.
#[derive(Clone, Debug)]
pub struct Dialogue {
    pub(super) handle: Handle,
    pub(super) provider: MfaProviderId,
    pub(super) provider_revision: u64,
    pub(super) server: SocketAddr,
    pub(super) state: Option<RadiusState>,
    /// Requests so far.
    pub(super) rounds: u8,
    pub(super) expires: Timestamp,
    /// The try that the dialogue holds from its first answer on.
    pub(super) held: Option<Reservation>,
}

impl Dialogue {
    /// What stands for it outside.
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    pub(super) fn is_open(&self, provider: (MfaProviderId, u64), now: Timestamp) -> bool {
        (self.provider, self.provider_revision) == provider && now < self.expires
    }

    /// Which of all questions is open: no two have the same handle and round.
    pub(super) const fn question(&self) -> (&[u8; Handle::LENGTH], u8) {
        (&self.handle.0, self.rounds)
    }

    pub(super) fn is_called(&self, claimed: &ClaimedHandle) -> bool {
        claimed
            .0
            .is_some_and(|claimed| self.handle.0.ct_eq(&claimed.0).into())
    }

    /// The form that is sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut form = Writer(vec![FORM]);
        form.put(&self.handle.0);
        form.put(self.provider.uuid().as_bytes());
        form.put(&self.provider_revision.to_be_bytes());
        form.put(&self.expires.as_micros().to_be_bytes());
        form.put(&[self.rounds]);
        match &self.held {
            None => form.put(&[0]),
            Some(held) => {
                form.put(&[1]);
                form.put(&held.row.to_be_bytes());
                form.put(&held.day.to_be_bytes());
                form.time(held.waiting_before);
                form.time(held.waiting_since);
            }
        }
        form.text(self.server.to_string().as_bytes());
        match &self.state {
            None => form.put(&[0]),
            Some(state) => {
                form.put(&[1]);
                form.put(state.octets());
            }
        }
        form.0
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut form = Reader(bytes);
        let [FORM] = form.take()? else { return None };
        let handle = Handle(form.take()?);
        let provider = MfaProviderId::from_uuid(uuid::Uuid::from_bytes(form.take()?));
        let provider_revision = u64::from_be_bytes(form.take()?);
        let expires = Timestamp::from_micros(i64::from_be_bytes(form.take()?));
        let [rounds] = form.take()?;
        let held = match form.take()? {
            [0] => None,
            [_] => Some(Reservation {
                row: u64::from_be_bytes(form.take()?),
                day: i32::from_be_bytes(form.take()?),
                waiting_before: time(i64::from_be_bytes(form.take()?)),
                waiting_since: time(i64::from_be_bytes(form.take()?)),
            }),
        };
        let server = std::str::from_utf8(form.text()?).ok()?.parse().ok()?;
        let state = match form.take()? {
            [0] => None,
            [_] => Some(RadiusState(form.0.to_vec())),
        };
        Some(Self {
            handle,
            provider,
            provider_revision,
            server,
            state,
            rounds,
            expires,
            held,
        })
    }
}

/// The first octet of the form, so that another one can be told apart some day.
const FORM: u8 = 1;

/// Stands for no time; no time is that early.
const NO_TIME: i64 = i64::MIN;

fn time(micros: i64) -> Option<Timestamp> {
    (micros != NO_TIME).then(|| Timestamp::from_micros(micros))
}

struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn time(&mut self, time: Option<Timestamp>) {
        self.put(&time.map_or(NO_TIME, Timestamp::as_micros).to_be_bytes());
    }

    /// A text of at most 255 octets.
    fn text(&mut self, text: &[u8]) {
        self.put(&[u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        self.put(text);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let [length] = self.take()?;
        let (text, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue(state: Option<&[u8]>, held: Option<Reservation>) -> Dialogue {
        Dialogue {
            handle: Handle([7; 16]),
            provider: MfaProviderId::from_random([3; 16]),
            provider_revision: 5,
            server: "[2001:db8::1]:1812".parse().unwrap(),
            state: state.map(|octets| RadiusState(octets.to_vec())),
            rounds: 2,
            expires: Timestamp::from_unix_seconds(1_700_000_000),
            held,
        }
    }

    #[test]
    fn the_sealed_form_is_read_back() {
        let held = Reservation {
            row: 3,
            day: -4,
            waiting_before: None,
            waiting_since: Some(Timestamp::from_unix_seconds(9)),
        };
        for dialogue in [
            dialogue(None, None),
            dialogue(Some(b""), Some(held.clone())),
            dialogue(Some(&[0, 255, 0]), Some(held)),
        ] {
            let bytes = dialogue.to_bytes();
            let read = Dialogue::from_bytes(&bytes).unwrap();
            assert_eq!(read.to_bytes(), bytes);
            assert_eq!((read.state, read.held), (dialogue.state, dialogue.held));
        }
    }

    #[test]
    fn what_is_cut_is_not_read() {
        let bytes = dialogue(None, None).to_bytes();
        for n in 0..bytes.len() {
            assert!(Dialogue::from_bytes(&bytes[..n]).is_none(), "{n}");
        }
    }

    #[test]
    fn it_answers_to_its_handle_only() {
        let dialogue = dialogue(None, None);
        assert!(dialogue.is_called(&Handle::claimed(&[7; 16])));
        for other in [&[7; 15][..], &[7; 17], &[8; 16], &[]] {
            assert!(!dialogue.is_called(&Handle::claimed(other)));
        }
    }

    #[test]
    fn it_prints_nothing_that_is_anybodys() {
        let text = format!("{:?}", dialogue(Some(b"opaque"), None));
        assert!(!text.contains("111") && !text.contains("[7") && text.contains("RadiusState(…)"));
    }
}
