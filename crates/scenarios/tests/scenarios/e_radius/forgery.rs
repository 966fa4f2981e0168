//! Answers that are not the server's, or are none: S36 and S37.

use futures_util::future::join_all;
use serde_json::json;
use vestibule_testkit::figures;
use vestibule_testkit::radius::attribute::REPLY_MESSAGE;
use vestibule_testkit::radius::{Action, Answer as Reply, Flaw, Origin, Received, code};
use vestibule_testkit::site::Backend;

use crate::on_both_databases;
use crate::radius_stage::{
    CODE, SECRET, Stage, WRONG, challenges, is_unanswered, is_wrong, judges, retry_after, state,
};

on_both_databases!(
    s36_an_answer_that_is_not_signed_is_none,
    s36_unsigned_answers_are_taken_where_the_provider_says_so,
    s36_requests_are_signed_before_all_else,
    s36_a_thousand_forgeries_of_each_kind_change_no_verdict,
    s37_what_is_no_answer_is_passed_over,
    s37_what_is_odd_and_signed_is_understood,
    s37_a_server_that_breaks_the_rules_for_state_is_not_believed,
);

/// The ways to answer that CVE-2024-3596 and plain guessing lead to: each is like silence, and
/// silence counts for nothing.
async fn s36_an_answer_that_is_not_signed_is_none(backend: Backend) {
    let flaws = |request: &Received| {
        let flaw = match request.password().as_deref() {
            Some(b"unsigned") => Flaw::Unsigned,
            Some(b"signed wrongly") => Flaw::MessageAuthenticator,
            Some(b"another secret") => Flaw::Secret(b"not the secret".to_vec()),
            Some(b"another request") => Flaw::OtherRequest,
            _ => return judges(request),
        };
        vec![Reply::accept().flawed(flaw).into()]
    };
    let stage = Stage::new(backend, json!({ "timeout": 1 }), flaws).await;
    let codes = [
        "unsigned",
        "signed wrongly",
        "another secret",
        "another request",
    ];
    for _ in 0..2 {
        let partials = join_all(codes.map(|_| stage.begun())).await;
        let answers = codes.iter().zip(&partials);
        let answers = answers.map(|(code, (partial, _))| stage.client().otp(partial, code));
        for answer in join_all(answers).await {
            is_unanswered(&answer);
            assert_eq!(retry_after(&answer), 2);
        }
        for (partial, _) in &partials {
            stage.client().authorize(partial).await.is(412);
        }
    }
    let log = stage.server.log();
    for said in [
        "answers without Message-Authenticator",
        "the Message-Authenticator is missing",
        "wrongly signed answers",
    ] {
        assert!(log.contains(said), "{said}");
    }
    stage.has_free(5).await;
}

/// With `requireMessageAuthenticator` off an answer may do without. One that has it must still
/// have it right, and the other proof is needed in any case.
async fn s36_unsigned_answers_are_taken_where_the_provider_says_so(backend: Backend) {
    let flaws = |request: &Received| {
        let flaw = match request.password().as_deref() {
            Some(b"unsigned") => Flaw::Unsigned,
            Some(b"signed wrongly") => Flaw::MessageAuthenticator,
            Some(b"signed twice") => Flaw::SignedTwice,
            _ => Flaw::ResponseAuthenticator,
        };
        vec![Reply::accept().flawed(flaw).into()]
    };
    let settings = json!({ "timeout": 1, "requireMessageAuthenticator": false });
    let stage = Stage::new(backend, settings, flaws).await;
    let codes = ["unsigned", "signed wrongly", "signed twice", "neither"];
    let partials = join_all(codes.map(|_| stage.begun())).await;
    let answers = codes.iter().zip(&partials);
    let answers = answers.map(|(code, (partial, _))| stage.client().otp(partial, code));
    let answers = join_all(answers).await;
    answers[0].token();
    for answer in &answers[1..] {
        is_unanswered(answer);
    }
    let log = stage.server.log();
    assert!(log.contains("CVE-2024-3596"), "it is said loudly");
}

/// In every mode, by both protocols, first requests and later ones: Message-Authenticator is there,
/// is right, and comes first.
async fn s36_requests_are_signed_before_all_else(backend: Backend) {
    let accepts_pushes = |request: &Received| match request.user_name().as_str() {
        "alice" => challenges(request),
        _ => judges(request),
    };
    let mut stage = Stage::new(backend, json!({}), accepts_pushes).await;
    stage.add_user("bob").await;
    for protocol in ["PAP", "CHAP"] {
        for (mode, user, requests) in [
            ("OneFactor", "bob", 1),
            ("Push", "bob", 1),
            ("Challenge", "alice", 2),
        ] {
            let settings = json!({
                "mode": mode, "authenticationProtocol": protocol, "challengeSharedSecret":
                if mode == "Push" { CODE } else { crate::radius_stage::CHALLENGE_SECRET },
            });
            stage.change(&settings).await;
            let asked = stage.requests();
            let client = stage.client();
            let partial = client.sign_in(user, crate::PASSWORD).await.token();
            client.initialize(&partial).await.is(200);
            client.otp(&partial, CODE).await.token();
            assert_eq!(stage.requests() - asked, requests, "{mode}");
        }
    }
    let seen = stage.radius.counters();
    assert_eq!((seen.unsigned, seen.wrongly_signed), (0, 0));
    assert_eq!((seen.signed_late, seen.malformed), (0, 0));
}

/// Somebody floods the client with Accepts in every way that they can make without the secret,
/// before the server's own Reject.
async fn s36_a_thousand_forgeries_of_each_kind_change_no_verdict(backend: Backend) {
    let forged = || {
        let flaws = [
            Flaw::ResponseAuthenticator,
            Flaw::MessageAuthenticator,
            Flaw::Unsigned,
            Flaw::OtherRequest,
            Flaw::Identifier,
            Flaw::Cut,
            Flaw::Secret(Vec::new()),
        ];
        let mut all: Vec<Reply> = flaws.map(|flaw| Reply::accept().flawed(flaw)).into();
        let padded = Reply::accept().flawed(Flaw::Secret(b"guess".to_vec()));
        all.push(padded.padded(64));
        // Signed as only the server can, and yet not its answer to this.
        all.push(Reply::accept().from(Origin::OtherPort));
        all.push(Reply::accept().from(Origin::OtherAddress));
        all.push(Reply::coded(code::REQUEST));
        all.push(Reply::coded(5));
        all.push(Reply::protocol_error());
        all
    };
    let kinds = forged().len();
    let floods = move |_: &Received| {
        let flood = forged().into_iter().map(|forgery| forgery.times(1000));
        let flood = flood.map(Action::from);
        flood.chain([Action::Hold(Reply::reject())]).collect()
    };
    let stage = Stage::new(backend, json!({ "timeout": 20 }), floods).await;
    let (partial, _) = stage.begun().await;
    let answer = stage.client().otp_in_flight(&partial, CODE);
    stage
        .radius
        .wait_until(|seen| seen.sent >= kinds * 1000)
        .await;
    assert!(!answer.is_finished(), "nothing of it ended the wait");
    figures::note("S36", "datagrams forged", kinds * 1000);
    stage.radius.release();
    is_wrong(&answer.await.unwrap());
    stage.client().authorize(&partial).await.is(412);
}

/// What cannot be read comes before the verdict, and does not end the wait for it.
async fn s37_what_is_no_answer_is_passed_over(backend: Backend) {
    let flaws = [
        Flaw::Noise(0),
        Flaw::Noise(1),
        Flaw::Noise(19),
        Flaw::Noise(20),
        Flaw::Noise(300),
        Flaw::Noise(4096),
        Flaw::Noise(9000),
        Flaw::Echo,
        Flaw::LengthField,
        Flaw::EmptyAttribute,
        Flaw::LongAttribute,
        Flaw::Cut,
        Flaw::SignedTwice,
        Flaw::ShortMessageAuthenticator,
        Flaw::Identifier,
    ];
    let garbage = move |request: &Received| {
        let garbage = flaws.clone().map(|flaw| Reply::accept().flawed(flaw));
        let too_long = Reply::accept().filled_to(4097);
        let from_elsewhere = Reply::accept().from(Origin::OtherPort);
        let garbage = garbage.into_iter().chain([too_long, from_elsewhere]);
        let garbage = garbage.map(Action::from);
        garbage.chain(judges(request)).collect()
    };
    let stage = Stage::new(backend, json!({}), garbage).await;
    let (partial, _) = stage.begun().await;
    for _ in 0..3 {
        is_wrong(&stage.client().otp(&partial, WRONG).await);
    }
    stage.client().otp(&partial, CODE).await.token();
    assert_eq!(stage.radius.counters().retransmissions, 0);
}

/// All that RFC 2865 allows and few servers do.
async fn s37_what_is_odd_and_signed_is_understood(backend: Backend) {
    /// The longest State, with all octets in it, and at its ends those that C takes for an end.
    fn longest() -> Vec<u8> {
        let mut octets: Vec<u8> = (0..253).map(|n: u8| n.wrapping_mul(3)).collect();
        octets[252] = 0;
        octets
    }
    let odd = |request: &Received| {
        let reply = match request.state() {
            None => Reply::challenge()
                .with(REPLY_MESSAGE, b"caf\xe9\x07\0?")
                .message("second line")
                .state(&longest()),
            Some(state) if state == longest() => Reply::challenge()
                .with(REPLY_MESSAGE, b"\xff\xfe")
                .state(b"\0")
                .filled_to(4096),
            Some(b"\0") if request.has_password(CODE.as_bytes()) => Reply::accept().padded(900),
            Some(_) => Reply::reject(),
        };
        vec![reply.into()]
    };
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), odd).await;
    let (partial, begun) = stage.begun().await;
    let message = begun.json()["responseMessage"].as_str().unwrap().to_owned();
    assert!(message.starts_with("caf\u{fffd}"), "{message:?}");
    assert!(message.ends_with("?\nsecond line"), "{message:?}");
    assert!(!message.contains(['\0', '\x07']), "{message:?}");
    let again = stage
        .client()
        .otp_with(&partial, "next", &state(&begun))
        .await;
    assert_eq!(again.is(401).json()["reason"], "\u{fffd}\u{fffd}");
    stage.client().otp(&partial, CODE).await.token();
    assert_eq!(stage.requests(), 3);
    assert!(!stage.site.logs().contains(SECRET));
}

/// Two States, or one of nothing: which one to send back is anybody's guess, so nothing is.
async fn s37_a_server_that_breaks_the_rules_for_state_is_not_believed(backend: Backend) {
    let broken = |request: &Received| {
        let reply = match request.user_name().as_str() {
            "alice" => Reply::challenge().state(b"one").state(b"two"),
            _ => Reply::challenge().state(b""),
        };
        vec![reply.into()]
    };
    let stage = Stage::new(backend, json!({ "mode": "Challenge" }), broken).await;
    stage.add_user("bob").await;
    for user in ["alice", "bob"] {
        let client = stage.client();
        let partial = client.sign_in(user, crate::PASSWORD).await.token();
        is_unanswered(&client.initialize(&partial).await);
        let nothing = client.otp(&partial, CODE).await;
        crate::radius_stage::has_no_challenge(&nothing);
    }
    assert_eq!(stage.requests(), 2);
}
