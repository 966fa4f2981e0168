//! Codes, against the vectors of the RFCs and an oracle that was written from them alone.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

mod oracle;

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use totp_rs::{Algorithm, Builder};
use vestibule_engine::totp::{SEED_LENGTH, STEP_SECONDS};
use vestibule_engine::{Otp, Seed, Timestamp, TotpStep};

fn fixture(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).unwrap().as_str().unwrap()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).unwrap().as_u64().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[test]
fn the_oracle_keeps_rfc_4226_appendix_d() {
    let rfc = fixture(include_str!("../../../fixtures/rfc4226.json"));
    let secret = text(&rfc, "secret").as_bytes();
    let vectors = rfc["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 10);
    for vector in vectors {
        let counter = number(vector, "counter");
        let digest = oracle::hmac::<Hmac<Sha1>>(secret, counter);
        assert_eq!(hex(&digest), text(vector, "hmac"), "counter {counter}");
        let truncated = oracle::truncate(&digest);
        assert_eq!(
            u64::from(truncated),
            number(vector, "truncated"),
            "counter {counter}"
        );
        assert_eq!(
            oracle::code(secret, counter),
            text(vector, "code"),
            "counter {counter}"
        );
    }
}

#[test]
fn the_engine_keeps_rfc_4226_appendix_d() {
    let rfc = fixture(include_str!("../../../fixtures/rfc4226.json"));
    let seed = Seed::from_slice(text(&rfc, "secret").as_bytes()).unwrap();
    for vector in rfc["vectors"].as_array().unwrap() {
        let step = TotpStep::new(number(vector, "counter"));
        assert_eq!(seed.code(step).unwrap().expose(), text(vector, "code"));
    }
}

#[track_caller]
fn appendix_b<M: KeyInit + Mac>(name: &str, algorithm: Algorithm) {
    let rfc = fixture(include_str!("../../../fixtures/rfc6238.json"));
    let seed = text(rfc.get("seeds").unwrap(), name).as_bytes();
    let builder = Builder::new().with_algorithm(algorithm).with_digits(8);
    let totp = builder.with_secret(seed.to_vec()).build().unwrap();
    let vectors = rfc.get("vectors").unwrap().as_array().unwrap();
    assert_eq!(vectors.len(), 6);
    for vector in vectors {
        let (seconds, code) = (number(vector, "seconds"), text(vector, name));
        let step = oracle::step_at(seconds);
        assert_eq!(step, number(vector, "step"), "{seconds}");
        assert_eq!(
            oracle::hotp::<M>(seed, step, 8),
            code,
            "{name} at {seconds}"
        );
        assert_eq!(
            totp.generate(seconds).to_string(),
            code,
            "{name} at {seconds}"
        );
        assert_eq!(totp.check(code, seconds), Some(step), "{name} at {seconds}");
    }
}

/// The library too, because the engine rests on it, and because of SHA-256 and SHA-512, which the
/// engine has no use for yet.
#[test]
fn the_oracle_and_the_library_keep_rfc_6238_appendix_b() {
    appendix_b::<Hmac<Sha1>>("sha1", Algorithm::SHA1);
    appendix_b::<Hmac<Sha256>>("sha256", Algorithm::SHA256);
    appendix_b::<Hmac<Sha512>>("sha512", Algorithm::SHA512);
}

/// The last six of eight digits are the code of six.
#[test]
fn the_engine_keeps_rfc_6238_appendix_b() {
    let rfc = fixture(include_str!("../../../fixtures/rfc6238.json"));
    let seed = Seed::from_slice(text(&rfc["seeds"], "sha1").as_bytes()).unwrap();
    for vector in rfc["vectors"].as_array().unwrap() {
        let (seconds, step) = (number(vector, "seconds"), number(vector, "step"));
        let code = text(vector, "sha1").get(2..).unwrap();
        let now = Timestamp::from_unix_seconds(seconds.cast_signed());
        let matched = seed.matching_step(&Otp::new(code.to_owned()), now);
        assert_eq!(matched, Some(TotpStep::new(step)), "at {seconds}");
    }
}

/// Where arithmetic on time goes wrong, and everything else.
fn seconds() -> impl Strategy<Value = i64> {
    const EDGES: [i64; 15] = [
        i64::MIN,
        -1,
        0,
        1,
        29,
        30,
        31,
        59,
        60,
        i32::MAX as i64,
        1 << 31,
        u32::MAX as i64,
        1 << 32,
        253_402_207_199, // The last second that there is.
        i64::MAX,
    ];
    prop_oneof![
        1 => proptest::sample::select(&EDGES),
        2 => 0..4_000_000_000_i64,
        1 => any::<i64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        cases: 1_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_code_is_the_oracles(seed in any::<[u8; SEED_LENGTH]>(), step in any::<u64>()) {
        let code = Seed::from_bytes(seed).code(TotpStep::new(step));
        // A step that no time has, has no code.
        let expected = step.checked_mul(STEP_SECONDS).map(|_| oracle::code(&seed, step));
        prop_assert_eq!(code.map(|code| code.expose().clone()), expected);
    }

    #[test]
    fn accepted_is_one_step_either_way(
        seed in any::<[u8; SEED_LENGTH]>(),
        seconds in seconds(),
        offset in -3..=3_i64,
    ) {
        let now = Timestamp::from_unix_seconds(seconds);
        let present = oracle::step_at(now.unix_seconds());
        let Some(step) = present.checked_add_signed(offset) else {
            return Ok(()); // There is no step before the first.
        };
        let code = oracle::code(&seed, step);
        let matched = Seed::from_bytes(seed).matching_step(&Otp::new(code.clone()), now);
        // Two steps may have the same code, so the oracle is asked about all of the window.
        let window = oracle::matching(&seed, &code, present);
        prop_assert_eq!(matched.map(TotpStep::number), window.first().copied());
        prop_assert_eq!(window.contains(&step), offset.abs() <= 1);
        if window == [step] {
            let offset_found = matched.map(|matched| matched.offset_from(TotpStep::at(now)));
            prop_assert_eq!(offset_found, Some(offset));
        }
    }

    #[test]
    fn any_text_is_judged_by_its_six_digits(
        seed in any::<[u8; SEED_LENGTH]>(),
        typed in prop_oneof![any::<String>(), "[ 0-9]{5,9}", r"[0-9\p{Nd} \t\n+-]{6,7}"],
        seconds in seconds(),
    ) {
        let now = Timestamp::from_unix_seconds(seconds);
        let matched = Seed::from_bytes(seed).matching_step(&Otp::new(typed.clone()), now);
        let present = oracle::step_at(now.unix_seconds());
        let window = oracle::matching(&seed, &typed.replace(' ', ""), present);
        prop_assert_eq!(matched.map(TotpStep::number), window.first().copied());
    }

    #[test]
    fn spaces_make_no_difference_and_nothing_else_is_a_space(
        seed in any::<[u8; SEED_LENGTH]>(),
        seconds in 0..4_000_000_000_i64,
        blank in prop_oneof![Just(' '), proptest::sample::select(&['\t', '\n', '\u{a0}', '\u{3000}', '-'][..])],
        blanks in proptest::collection::vec(0..3_usize, 7),
    ) {
        let now = Timestamp::from_unix_seconds(seconds);
        let seed = Seed::from_bytes(seed);
        let code = seed.code(TotpStep::at(now)).unwrap();
        let blank = blank.to_string();
        let mut typed = blank.repeat(blanks[0]);
        for (digit, &n) in code.expose().chars().zip(&blanks[1..]) {
            typed.push(digit);
            typed.push_str(&blank.repeat(n));
        }
        let plain = seed.matching_step(&Otp::new(code.expose().clone()), now);
        prop_assert!(plain.is_some());
        let is_good = blank == " " || typed.len() == 6;
        let matched = seed.matching_step(&Otp::new(typed), now);
        prop_assert_eq!(matched, plain.filter(|_| is_good));
    }
}
