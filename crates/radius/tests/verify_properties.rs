//! Datagrams that nobody signed, made up in numbers; and what is counted of them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the lints' exception for tests does not reach helpers; here a panic is the finding"
)]

mod server;

use std::time::Duration;

use proptest::prelude::*;
use server::{Server, attribute};
use vestibule_radius::{
    Authenticator, Count, Counters, Discard, RoundTrips, SharedSecret, verify, verify_status,
};

const SECRET: &[u8] = b"xyzzy5461";
const ASKED: [u8; 16] = *b"0123456789abcdef";
const SERVER: Server<'_> = Server {
    secret: SECRET,
    asked: ASKED,
    identifier: 7,
};

fn secret() -> SharedSecret {
    SharedSecret::new(SECRET).expect("it is not empty")
}

/// A packet with right lengths, and nobody's signature.
fn unsigned() -> impl Strategy<Value = Vec<u8>> {
    let attribute = (any::<u8>(), prop::collection::vec(any::<u8>(), 0..60))
        .prop_map(|(kind, value)| attribute(kind, &value));
    let code = prop_oneof![Just(2), Just(3), Just(11), any::<u8>()];
    let attributes = prop::collection::vec(attribute, 0..12);
    (code, any::<[u8; 16]>(), attributes).prop_map(|(code, authenticator, attributes)| {
        let mut packet = SERVER.unsigned(code, &attributes.concat());
        packet[4..20].copy_from_slice(&authenticator);
        packet
    })
}

/// Accepted by nobody, whatever is required.
fn is_discarded(datagram: &[u8]) -> bool {
    let pending = |_| Some(Authenticator::from_random(ASKED));
    verify(datagram, pending, &secret(), false).is_err()
        && verify(datagram, pending, &secret(), true).is_err()
        && verify_status(datagram, pending, &secret()).is_err()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn octets_are_no_answer(datagram in prop::collection::vec(any::<u8>(), 0..4200)) {
        prop_assert!(is_discarded(&datagram));
    }

    #[test]
    fn packets_that_nobody_signed_are_no_answer(datagram in unsigned()) {
        prop_assert!(is_discarded(&datagram));
    }

    /// The property above could hold because nothing is ever accepted.
    #[test]
    fn the_same_packets_are_answers_when_signed(datagram in unsigned()) {
        let mut datagram = datagram;
        SERVER.authenticate(&mut datagram);
        let is_answer = matches!(datagram[0], 2 | 3 | 11);
        let has_signature = server::attributes(&datagram).iter().any(|(kind, _)| *kind == 80);
        let pending = |_| Some(Authenticator::from_random(ASKED));
        let verified = verify(&datagram, pending, &secret(), false);
        prop_assert_eq!(verified.is_ok(), is_answer && !has_signature);
    }

    #[test]
    fn an_altered_answer_is_none(
        datagram in unsigned(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let body = &datagram[20..];
        let mut signed = SERVER.signed(datagram[0], body);
        let at = at.index(signed.len());
        signed[at] ^= flip;
        prop_assert!(is_discarded(&signed), "octet {at}");
    }
}

#[test]
fn what_comes_is_counted_by_its_kind() {
    let counters = Counters::default();
    for discard in [
        Discard::TooShort,
        Discard::MessageAuthenticatorTwice,
        Discard::UnknownIdentifier,
        Discard::ProtocolError,
        Discard::UnexpectedCode(99),
        Discard::MessageAuthenticatorMissing,
        Discard::WrongMessageAuthenticator,
        Discard::WrongResponseAuthenticator,
    ] {
        counters.count(Count::from(discard));
    }
    let pending = |_| Some(Authenticator::from_random(ASKED));
    for (code, took) in [(2, 3), (3, 5), (11, 70_000)] {
        let verified =
            verify(&SERVER.signed(code, &[]), pending, &secret(), true).expect("it is signed");
        counters.count_answer(&verified, Duration::from_millis(took));
    }
    let now = counters.snapshot();
    assert_eq!(now.malformed_access_responses, 2);
    assert_eq!(now.bad_authenticators, 2);
    assert_eq!(now.unknown_identifiers, 1);
    assert_eq!(now.protocol_errors, 1);
    assert_eq!(now.unknown_types, 1);
    assert_eq!(now.missing_message_authenticators, 1);
    let answers = (
        now.access_accepts,
        now.access_rejects,
        now.access_challenges,
    );
    assert_eq!(answers, (1, 1, 1));
    assert_eq!(now.round_trips.count(), 3);
    assert_eq!(now.round_trips.sum, Duration::from_millis(70_008));
    // Two took up to 5 ms, one longer than all bounds.
    let five = RoundTrips::bounds().position(|bound| bound == Duration::from_millis(5));
    assert_eq!(now.round_trips.buckets[five.expect("it is a bound")], 2);
    assert_eq!(now.round_trips.buckets.last(), Some(&1));
}
