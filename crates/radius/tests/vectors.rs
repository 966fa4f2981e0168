//! Packets that others made: those of the RFCs, and those of FreeRADIUS.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the lints' exception for tests does not reach helpers; here a panic is the finding"
)]

mod server;

use serde_json::Value;
use server::{hex, message_authenticator, only};
use vestibule_radius::{
    AccessRequest, Alive, Answer, Authenticator, ChapSeed, Credential, NasIdentifier, Password,
    Reply, SharedSecret, State, UserName, Verdict, Verified, encode_status_server, verify,
    verify_status,
};

const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const CHAP_PASSWORD: u8 = 3;
const CHAP_CHALLENGE: u8 = 60;

fn rfc() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/radius/rfc.json")).unwrap()
}

fn freeradius() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/radius/freeradius.json")).unwrap()
}

fn secret(fixture: &Value) -> SharedSecret {
    SharedSecret::new(text(fixture, "secret")).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn each<'a>(fixture: &'a Value, key: &str) -> &'a [Value] {
    let all = fixture[key].as_array().unwrap();
    assert!(!all.is_empty());
    all
}

fn authenticator(request: &[u8]) -> Authenticator {
    Authenticator::from_random(request[4..20].try_into().unwrap())
}

fn login(user: &str, credential: Credential, state: Option<State>) -> AccessRequest {
    AccessRequest {
        user_name: UserName::new(user).unwrap(),
        credential,
        state,
        nas_identifier: NasIdentifier::new("fixture").unwrap(),
        nas_ip: None,
        calling_station_id: None,
    }
}

/// Hides, or answers the challenge with, the password of a request that others made.
#[track_caller]
fn check_credential(secret: &SharedSecret, vector: &Value) {
    let theirs = hex(text(vector, "request"));
    let password = Password::from_text(text(vector, "password")).unwrap();
    let all = server::attributes(&theirs);
    let value_of = |kind| all.iter().find(|(this, _)| *this == kind).map(|(_, v)| *v);
    let mut seed = [0; 17];
    let (kind, credential) = if let Some(response) = value_of(CHAP_PASSWORD) {
        seed[0] = response[0];
        seed[1..].copy_from_slice(value_of(CHAP_CHALLENGE).unwrap_or(&theirs[4..20]));
        (CHAP_PASSWORD, Credential::Chap(password))
    } else {
        (USER_PASSWORD, Credential::Pap(password))
    };
    let user = String::from_utf8(only(&theirs, USER_NAME).to_vec()).unwrap();
    let ours = login(&user, credential, None)
        .encode(
            theirs[1],
            &authenticator(&theirs),
            &ChapSeed::from_random(seed),
            secret,
        )
        .unwrap();
    let ours = ours.as_octets();
    assert_eq!(only(ours, kind), only(&theirs, kind), "{}", vector["name"]);
    assert_eq!(ours[..2], theirs[..2]);
    assert_eq!(ours[4..20], theirs[4..20]);
}

#[test]
fn passwords_are_hidden_as_in_the_rfc() {
    let rfc = rfc();
    let vectors = each(&rfc, "requests");
    for vector in vectors {
        check_credential(&secret(&rfc), vector);
    }
}

#[test]
fn passwords_are_hidden_as_by_radclient() {
    let freeradius = freeradius();
    let vectors = each(&freeradius, "requests");
    for vector in vectors {
        check_credential(&secret(&freeradius), vector);
    }
}

/// The oracle of the other tests is right about radclient.
#[test]
fn radclient_signs_as_the_oracle_does() {
    let freeradius = freeradius();
    for vector in each(&freeradius, "requests") {
        let request = hex(text(vector, "request"));
        let expected = message_authenticator(&request, text(&freeradius, "secret").as_bytes());
        assert_eq!(only(&request, server::MESSAGE_AUTHENTICATOR), expected);
    }
}

/// To the octet, Message-Authenticator included.
#[test]
fn requests_are_those_that_freeradius_accepted() {
    let freeradius = freeradius();
    for vector in each(&freeradius, "logins") {
        let theirs = hex(text(vector, "request"));
        let password = Password::from_text(text(vector, "password")).unwrap();
        let state = vector["sent_state"].as_str();
        let state = state.map(|state| State::new(hex(state)).unwrap());
        let ours = login(text(vector, "user"), Credential::Pap(password), state)
            .encode(
                theirs[1],
                &authenticator(&theirs),
                &ChapSeed::from_random([0; 17]),
                &secret(&freeradius),
            )
            .unwrap();
        assert_eq!(ours.as_octets(), theirs, "{}", vector["name"]);
    }
}

/// To the octet.
#[test]
fn status_requests_are_those_of_others() {
    for fixture in [rfc(), freeradius()] {
        for vector in each(&fixture, "status") {
            let theirs = hex(text(vector, "request"));
            let authenticator = authenticator(&theirs);
            let ours = encode_status_server(theirs[1], &authenticator, None, &secret(&fixture));
            assert_eq!(ours.unwrap().as_octets(), theirs, "{}", vector["name"]);
        }
    }
}

#[test]
fn status_answers_of_others_are_believed() {
    for fixture in [rfc(), freeradius()] {
        for vector in each(&fixture, "status") {
            let asked = authenticator(&hex(text(vector, "request")));
            let response = hex(text(vector, "response"));
            let alive = verify_status(&response, |_| Some(asked), &secret(&fixture));
            let expected = Alive {
                identifier: response[1],
                has_message_authenticator: false,
            };
            assert_eq!(alive, Ok(expected), "{}", vector["name"]);
        }
    }
}

#[track_caller]
fn check_answer(fixture: &Value, vector: &Value, is_signed: bool) {
    let asked = authenticator(&hex(text(vector, "request")));
    let response = hex(text(vector, "response"));
    let verified = verify(&response, |_| Some(asked), &secret(fixture), is_signed);
    let Ok(Verified {
        identifier,
        has_message_authenticator,
        answer: Answer::Reply(reply),
    }) = verified
    else {
        panic!("{}: {verified:?}", vector["name"])
    };
    assert_eq!(identifier, response[1]);
    assert_eq!(has_message_authenticator, is_signed);
    assert_eq!(reply.message.as_deref(), vector["message"].as_str());
    let (verdict, state) = verdict(&reply);
    assert_eq!(verdict, text(vector, "verdict"));
    let expected = vector["state"].as_str().map(hex);
    assert_eq!(state.map(State::as_octets), expected.as_deref());
}

fn verdict(reply: &Reply) -> (&'static str, Option<&State>) {
    match &reply.verdict {
        Verdict::Accept => ("accept", None),
        Verdict::Reject => ("reject", None),
        Verdict::Challenge { state } => ("challenge", state.as_ref()),
    }
}

#[test]
fn answers_of_the_rfc_are_believed() {
    let rfc = rfc();
    let vectors = each(&rfc, "logins");
    for vector in vectors {
        check_answer(&rfc, vector, false);
    }
}

#[test]
fn answers_of_freeradius_are_believed() {
    let freeradius = freeradius();
    let vectors = each(&freeradius, "logins");
    for vector in vectors {
        check_answer(&freeradius, vector, true);
    }
}
