//! Time-based one-time passwords (RFC 6238) as every authenticator app computes them: SHA-1,
//! 6 digits, 30 seconds, and one step either way.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroize;

use crate::{Secret, Timestamp};

/// Seconds in a step (RFC 6238 section 4.1, X).
pub const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one whose codes are good (RFC 6238 section 5.2).
pub const SKEW: u8 = 1;
/// Digits in a code.
pub const DIGITS: u8 = 6;
/// Octets in a seed: the 160 bits that RFC 4226 section 4 recommends.
pub const SEED_LENGTH: usize = 20;

/// The number of a time step since the Unix epoch (RFC 6238 section 4.2, T).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TotpStep(u64);

impl TotpStep {
    /// The step with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The step in which `now` lies.
    pub const fn at(now: Timestamp) -> Self {
        Self(now.unix_seconds() / STEP_SECONDS)
    }

    /// The number of the step.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// How many steps the user's clock is ahead of ours; negative when it is behind.
    pub fn offset_from(self, ours: Self) -> i64 {
        i64::try_from(i128::from(self.0) - i128::from(ours.0)).unwrap_or(0)
    }
}

/// What a user types: a code, in custody.
#[derive(Debug)]
pub struct Otp(Secret<String>);

impl Otp {
    /// Takes what was typed, whatever it is.
    pub fn new(typed: impl Into<Secret<String>>) -> Self {
        Self(typed.into())
    }

    /// The six digits, if that is what it holds when ASCII spaces are left out.
    fn digits(&self) -> Option<Secret<String>> {
        let digits: String = self.0.expose().chars().filter(|&c| c != ' ').collect();
        let digits = Secret::new(digits);
        let text = digits.expose();
        (text.len() == usize::from(DIGITS) && text.bytes().all(|b| b.is_ascii_digit()))
            .then_some(digits)
    }
}

/// The shared secret of a user and an authenticator (RFC 6238 section 3, K).
#[derive(Debug)]
pub struct Seed(Secret<[u8; SEED_LENGTH]>);

impl Seed {
    /// A seed from random bytes of the caller's.
    pub const fn from_bytes(bytes: [u8; SEED_LENGTH]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The seed that these bytes are, if there are as many as a seed has.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_bytes(bytes.try_into().ok()?))
    }

    /// The bytes, to be sealed.
    pub const fn expose(&self) -> &[u8; SEED_LENGTH] {
        self.0.expose()
    }

    /// The step whose code this is, among the present one and [`SKEW`] either way.
    ///
    /// Compares in constant time. Whether the step is spent already is not asked here.
    pub fn matching_step(&self, otp: &Otp, now: Timestamp) -> Option<TotpStep> {
        let digits = otp.digits()?;
        let step = self.totp()?.check(digits.expose(), now.unix_seconds())?;
        Some(TotpStep(step))
    }

    /// The seed in base32 without padding (RFC 4648 section 6): 32 characters, as apps take it.
    pub fn base32(&self) -> Secret<String> {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        // 20 octets are 32 digits of 5 bits exactly.
        let mut text = String::with_capacity(SEED_LENGTH * 8 / 5);
        for group in self.0.expose().chunks(5) {
            let bits = group.iter().fold(0u64, |bits, &b| bits << 8 | u64::from(b));
            for digit in (0..8).rev() {
                let index = usize::try_from(bits >> (5 * digit) & 31).unwrap_or(0);
                text.push(ALPHABET.get(index).map_or('A', |&b| char::from(b)));
            }
        }
        Secret::new(text)
    }

    /// The URL that a barcode holds:
    /// `otpauth://totp/user@provider@host?secret=…&issuer=…`.
    ///
    /// No issuer in the label and no algorithm, digits or period, because that is the form in
    /// which existing clients know it; the values left out are the defaults of all apps.
    pub fn otpauth_url(&self, label: &Label<'_>) -> Secret<String> {
        let mut secret = self.base32().expose().clone();
        let url = format!(
            "otpauth://totp/{}@{}@{}?secret={}&issuer={}",
            encode(label.user),
            encode(label.provider),
            encode(label.host),
            secret,
            encode(label.issuer),
        );
        secret.zeroize();
        Secret::new(url)
    }

    /// The code of a step, for programs that play the authenticator.
    pub fn code(&self, step: TotpStep) -> Option<Secret<String>> {
        let time = step.0.checked_mul(STEP_SECONDS)?;
        Some(Secret::new(self.totp()?.generate(time).to_string()))
    }

    /// `None` is never the case: the parameters are the library's own defaults, written out.
    fn totp(&self) -> Option<Totp> {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(u16::from(SKEW))
            .with_step_duration(STEP_SECONDS)
            .with_secret(*self.0.expose())
            .build()
            .ok()
    }
}

/// What an authenticator shows above the code.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The identity provider's name.
    pub provider: &'a str,
    /// The host that the user signs in at.
    pub host: &'a str,
    /// Who issued the seed.
    pub issuer: &'a str,
}

/// All but the unreserved characters of RFC 3986 section 2.3 is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn encode(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of the vectors of RFC 4226 appendix D and RFC 6238 appendix B.
    const RFC: [u8; 20] = *b"12345678901234567890";

    #[track_caller]
    fn check(code: &str, now: i64, matched: Option<u64>) {
        let step = Seed::from_bytes(RFC).matching_step(
            &Otp::new(code.to_owned()),
            Timestamp::from_unix_seconds(now),
        );
        assert_eq!(step.map(TotpStep::number), matched, "{code:?} at {now}");
    }

    #[test]
    fn one_step_of_skew() {
        check("287082", 29, Some(1));
        check("287082", 59, Some(1));
        check("287082", 89, Some(1));
        check("287082", 90, None);
    }

    #[test]
    fn only_six_ascii_digits_and_spaces() {
        check("287 082", 59, Some(1));
        check(" 287082 ", 59, Some(1));
        for code in [
            "+287082",
            "0287082",
            "287082\n",
            "\u{ff12}\u{ff18}\u{ff17}\u{ff10}\u{ff18}\u{ff12}",
            "28708",
            "",
            "94287082",
            "-287082",
            "2870 82a",
            "\u{a0}287082",
        ] {
            check(code, 59, None);
        }
    }

    #[test]
    fn any_time_is_fine() {
        for now in [i64::MIN, -1, 0, 29, 30, 1 << 31, 1 << 32, i64::MAX] {
            check("000000", now, None);
        }
    }

    #[test]
    fn base32_and_url() {
        let seed = Seed::from_bytes(RFC);
        assert_eq!(seed.base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let label = Label {
            user: "a b",
            provider: "local",
            host: "h:1",
            issuer: "Our Own",
        };
        assert_eq!(
            seed.otpauth_url(&label).expose(),
            "otpauth://totp/a%20b@local@h%3A1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Our%20Own"
        );
    }
}
