//! What is sent, read by another implementation.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

mod server;

use std::net::IpAddr;

use proptest::prelude::*;
use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc3162};
use server::{MESSAGE_AUTHENTICATOR, attributes, message_authenticator, only};
use vestibule_radius::{
    AccessRequest, Authenticator, CallingStationId, ChapSeed, Credential, NasIdentifier, Password,
    PasswordError, SharedSecret, State, UserName, encode_status_server,
};

const SECRET: &str = "xyzzy5461";
const CHAP_PASSWORD: u8 = 3;
const CHAP_CHALLENGE: u8 = 60;

fn request(credential: Credential) -> AccessRequest {
    AccessRequest {
        user_name: UserName::new("bob").unwrap(),
        credential,
        state: None,
        nas_identifier: NasIdentifier::new("vestibule").unwrap(),
        nas_ip: None,
        calling_station_id: None,
    }
}

fn encode(request: &AccessRequest, authenticator: [u8; 16], chap: [u8; 17]) -> Vec<u8> {
    let secret = SharedSecret::new(SECRET).unwrap();
    let authenticator = Authenticator::from_random(authenticator);
    let seed = ChapSeed::from_random(chap);
    let datagram = request.encode(7, &authenticator, &seed, &secret).unwrap();
    datagram.as_octets().to_vec()
}

/// The password that a server reads, padding included, and how many octets hid it.
#[track_caller]
fn check_hidden(length: usize, on_the_wire: usize) {
    let password: Vec<u8> = (0..length)
        .map(|n| b'a' + u8::try_from(n % 26).unwrap())
        .collect();
    let credential = Credential::Pap(Password::from_octets(password.clone()).unwrap());
    let datagram = encode(&request(credential), [0x5a; 16], [0; 17]);
    assert_eq!(
        only(&datagram, rfc2865::USER_PASSWORD_TYPE).len(),
        on_the_wire
    );
    let packet = Packet::decode(&datagram, SECRET.as_bytes()).unwrap();
    let read = rfc2865::lookup_user_password(&packet).unwrap().unwrap();
    assert_eq!(read, password);
}

#[test]
fn passwords_of_all_lengths_are_hidden() {
    check_hidden(0, 16);
    check_hidden(1, 16);
    check_hidden(15, 16);
    check_hidden(16, 16);
    check_hidden(17, 32);
    check_hidden(127, 128);
    check_hidden(128, 128);
}

#[track_caller]
fn check_password(text: &str, expected: Option<PasswordError>) {
    assert_eq!(Password::from_text(text).err(), expected);
}

#[test]
fn what_cannot_be_hidden_is_refused() {
    check_password(&"a".repeat(128), None);
    check_password(&"a".repeat(129), Some(PasswordError::TooLong));
    check_password(&"ü".repeat(64), None);
    check_password(&"ü".repeat(65), Some(PasswordError::TooLong));
    // 192 octets as typed, 128 as sent.
    check_password(&"u\u{308}".repeat(64), None);
    check_password("a\0b", Some(PasswordError::ContainsNul));
    check_password("\0", Some(PasswordError::ContainsNul));
    let octets = |octets: &[u8]| Password::from_octets(octets).err();
    assert_eq!(octets(&[1; 128]), None);
    assert_eq!(octets(&[1; 129]), Some(PasswordError::TooLong));
    assert_eq!(octets(b"ung\xfcltig"), None);
    assert_eq!(octets(&[1, 0]), Some(PasswordError::ContainsNul));
}

#[test]
fn text_is_sent_composed_and_otherwise_as_typed() {
    for (typed, sent) in [
        ("pa\u{308}ss", "p\u{e4}ss"),
        (" Push, 1 ", " Push, 1 "),
        ("\u{fb01}", "\u{fb01}"),
    ] {
        let credential = Credential::Pap(Password::from_text(typed).unwrap());
        let datagram = encode(&request(credential), [1; 16], [0; 17]);
        let packet = Packet::decode(&datagram, SECRET.as_bytes()).unwrap();
        let read = rfc2865::lookup_user_password(&packet).unwrap().unwrap();
        assert_eq!(read, sent.as_bytes());
    }
}

#[test]
fn chap_sends_its_challenge() {
    let password = Password::from_text("hello").unwrap();
    let mut seed = [7; 17];
    seed[0] = 0x16;
    let datagram = encode(&request(Credential::Chap(password)), [1; 16], seed);
    assert_eq!(only(&datagram, CHAP_CHALLENGE), [7; 16]);
    assert_eq!(only(&datagram, CHAP_PASSWORD).len(), 17);
    assert_eq!(only(&datagram, CHAP_PASSWORD)[0], 0x16);
    let kinds: Vec<_> = attributes(&datagram)
        .iter()
        .map(|(kind, _)| *kind)
        .collect();
    assert!(!kinds.contains(&rfc2865::USER_PASSWORD_TYPE));
}

#[test]
fn nothing_secret_is_printed() {
    let mut request = request(Credential::Chap(Password::from_text("hunter2").unwrap()));
    request.state = Some(State::new("st4te").unwrap());
    let printed = format!("{request:?}");
    assert!(printed.contains("bob"));
    assert!(!printed.contains("hunter2") && !printed.contains("st4te"));
    let secret = SharedSecret::new(SECRET).unwrap();
    let authenticator = Authenticator::from_random([65; 16]);
    let seed = ChapSeed::from_random([66; 17]);
    let datagram = request.encode(7, &authenticator, &seed, &secret).unwrap();
    let printed = format!("{datagram:?} {authenticator:?} {seed:?} {secret:?}");
    assert!(!printed.contains("65") && !printed.contains("66") && !printed.contains(SECRET));
}

#[test]
fn a_password_knows_the_shared_secret() {
    let secret = SharedSecret::new(SECRET).unwrap();
    assert!(Password::from_text(SECRET).unwrap().is(&secret));
    assert!(!Password::from_text("hello").unwrap().is(&secret));
}

#[test]
fn a_status_request_names_its_sender_at_most() {
    let secret = SharedSecret::new(SECRET).unwrap();
    let authenticator = Authenticator::from_random([1; 16]);
    let name = NasIdentifier::new("vestibule").unwrap();
    let datagram = encode_status_server(7, &authenticator, Some(&name), &secret).unwrap();
    let datagram = datagram.as_octets();
    let signature = message_authenticator(datagram, SECRET.as_bytes());
    let expected: [(u8, &[u8]); 2] = [(MESSAGE_AUTHENTICATOR, &signature), (32, b"vestibule")];
    assert_eq!(attributes(datagram), expected);
    assert_eq!(datagram[..2], [12, 7]);
}

/// A request as it can be made up, beside what it is made of.
#[derive(Debug)]
struct Case {
    user: String,
    password: Vec<u8>,
    is_chap: bool,
    state: Option<Vec<u8>>,
    address: Option<IpAddr>,
    station: Option<String>,
}

fn case() -> impl Strategy<Value = Case> {
    let text = || "[a-zA-Z0-9ü@\\\\. ]{1,120}";
    let octets = prop::collection::vec(1..=u8::MAX, 0..=128);
    let state = prop::collection::vec(any::<u8>(), 1..=253);
    (
        text(),
        octets,
        any::<bool>(),
        prop::option::of(state),
        prop::option::of(any::<IpAddr>()),
        prop::option::of(text()),
    )
        .prop_map(|(user, password, is_chap, state, address, station)| Case {
            user,
            password,
            is_chap,
            state,
            address,
            station,
        })
}

fn build(case: &Case) -> AccessRequest {
    let password = Password::from_octets(case.password.clone()).unwrap();
    let station = case.station.as_deref();
    AccessRequest {
        user_name: UserName::new(&case.user).unwrap(),
        state: case.state.clone().map(|octets| State::new(octets).unwrap()),
        nas_ip: case.address,
        calling_station_id: station.map(|text| CallingStationId::new(text).unwrap()),
        ..request(if case.is_chap {
            Credential::Chap(password)
        } else {
            Credential::Pap(password)
        })
    }
}

proptest! {
    #[test]
    fn what_is_sent_is_what_is_read(
        case in case(),
        authenticator in any::<[u8; 16]>(),
        seed in any::<[u8; 17]>(),
    ) {
        let datagram = encode(&build(&case), authenticator, seed);
        prop_assert!(datagram.len() <= 4096);
        let packet = Packet::decode(&datagram, SECRET.as_bytes()).unwrap();
        prop_assert_eq!(packet.get_code(), Code::AccessRequest);
        prop_assert_eq!(packet.get_identifier(), 7);
        prop_assert_eq!(packet.get_authenticator().as_slice(), authenticator);
        prop_assert_eq!(rfc2865::lookup_user_name(&packet).unwrap().unwrap(), case.user);
        let nas = rfc2865::lookup_nas_identifier(&packet).unwrap().unwrap();
        prop_assert_eq!(nas, "vestibule");
        prop_assert_eq!(rfc2865::lookup_state(&packet), case.state);
        let station = rfc2865::lookup_calling_station_id(&packet);
        prop_assert_eq!(station.map(Result::unwrap), case.station);
        let v4 = rfc2865::lookup_nas_ip_address(&packet).map(|a| IpAddr::V4(a.unwrap()));
        let v6 = rfc3162::lookup_nas_ipv6_address(&packet).map(|a| IpAddr::V6(a.unwrap()));
        prop_assert_eq!(v4.or(v6), case.address);

        // Exactly one credential.
        let hidden = rfc2865::lookup_user_password(&packet).map(Result::unwrap);
        let response = rfc2865::lookup_chap_password(&packet);
        prop_assert_eq!(hidden, (!case.is_chap).then_some(case.password));
        prop_assert_eq!(response.is_some(), case.is_chap);
        prop_assert_eq!(rfc2865::lookup_chap_challenge(&packet).is_some(), case.is_chap);

        // Signed, and the signature comes first.
        prop_assert_eq!(attributes(&datagram)[0].0, MESSAGE_AUTHENTICATOR);
        let signature = message_authenticator(&datagram, SECRET.as_bytes());
        prop_assert_eq!(only(&datagram, MESSAGE_AUTHENTICATOR), signature);
    }
}
