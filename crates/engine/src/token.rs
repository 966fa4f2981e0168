//! Tokens: what one holds after each door, and what each kind opens.
//!
//! A token that is worth something can only be made from a proof that it is deserved:
//! [`NewToken::verified`] from a second factor that was [`Shown`], [`NewToken::admin`] from an [`Admission`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::attempt::StepToClaim;
use crate::{Acceptance, DeviceId, MfaProviderId, Secret, SessionId, Timestamp, UserId};

/// A token as its bearer holds it: 32 random octets, shown as standard base64 with padding.
#[derive(Debug)]
pub struct Token(Secret<[u8; 32]>);

impl Token {
    /// A token from random bytes of the caller's.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Reads what a bearer sent. `None` is for what no token looks like.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        // One octet to spare tells a longer text from a right one.
        let mut buffer = [0; 33];
        let length = STANDARD.decode_slice(text, &mut buffer).ok()?;
        bytes.copy_from_slice(buffer.get(..length).filter(|b| b.len() == 32)?);
        Some(Self::from_bytes(bytes))
    }

    /// The text that the bearer gets.
    pub fn reveal(&self) -> Secret<String> {
        Secret::new(STANDARD.encode(self.0.expose()))
    }

    /// What a store keeps of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.expose()).into())
    }
}

/// The SHA-256 of a token. Of 256 random bits a plain hash gives nothing away.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash as it was stored.
    pub const fn restore(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The octets to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How far its bearer has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TokenKind {
    /// The password was right.
    Partial,
    /// The password and the second factor were right.
    Verified,
    /// Admitted to administration.
    Admin,
}

/// The doors that a token may be shown at.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Door {
    /// Starting and finishing the second factor.
    SecondFactor,
    /// Asking for administration.
    Authorization,
    /// Ending the session.
    Logout,
    /// Everything that administrators do.
    Administration,
}

impl TokenKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Partial, Self::Verified, Self::Admin];

    /// Whether a token of this kind opens that door.
    pub const fn opens(self, door: Door) -> bool {
        match (self, door) {
            (_, Door::Authorization | Door::Logout)
            | (Self::Partial, Door::SecondFactor)
            | (Self::Admin, Door::Administration) => true,
            (Self::Partial | Self::Verified, Door::Administration)
            | (Self::Verified | Self::Admin, Door::SecondFactor) => false,
        }
    }

    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Verified => "verified",
            Self::Admin => "admin",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How long tokens live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// A token whose second factor is due still.
    pub partial: Duration,
    /// A session, from its authentication.
    pub session: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            partial: Duration::from_mins(15),
            session: Duration::from_hours(24),
        }
    }
}

/// A token as a store keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRecord {
    /// The token's hash.
    pub hash: TokenHash,
    /// What it was minted from.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// From where.
    pub device: DeviceId,
    /// What it opens.
    pub kind: TokenKind,
    /// When it ends.
    pub expires: Timestamp,
    /// When all of the session ends.
    pub session_expires: Timestamp,
}

impl TokenRecord {
    /// Whether it still opens anything.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires && now < self.session_expires
    }
}

/// A token that is about to be stored. Its kind was earned, or it would not exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewToken(TokenRecord);

impl NewToken {
    /// The token of someone whose password was right.
    pub fn partial(
        token: &Token,
        session: SessionId,
        user: UserId,
        device: DeviceId,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Self {
        Self(TokenRecord {
            hash: token.hash(),
            session,
            user,
            device,
            kind: TokenKind::Partial,
            expires: now.after(lifetimes.partial.min(lifetimes.session)),
            session_expires: now.after(lifetimes.session),
        })
    }

    /// What a partial token becomes with the claim of a step or an acceptance; of no use until that
    /// is committed.
    pub fn verified(token: &Token, shown: &impl Shown, partial: &TokenRecord) -> Option<Self> {
        let earned = shown.by() == (partial.user, partial.session);
        earned.then(|| Self::in_session(token, partial, TokenKind::Verified))
    }

    /// The token for administration.
    pub fn admin(token: &Token, admission: &Admission<'_>) -> Self {
        Self::in_session(token, admission.bearer, TokenKind::Admin)
    }

    fn in_session(token: &Token, from: &TokenRecord, kind: TokenKind) -> Self {
        Self(TokenRecord {
            hash: token.hash(),
            kind,
            expires: from.session_expires,
            ..from.clone()
        })
    }

    /// What is to be stored.
    pub const fn record(&self) -> &TokenRecord {
        &self.0
    }
}

/// A second factor that was shown, as far as the engine is concerned.
pub trait Shown: sealed::Sealed {
    /// By whom, in which session.
    fn by(&self) -> (UserId, SessionId);
}

impl Shown for StepToClaim {
    fn by(&self) -> (UserId, SessionId) {
        (self.user(), self.session())
    }
}

impl Shown for Acceptance {
    fn by(&self) -> (UserId, SessionId) {
        (self.user(), self.session())
    }
}

mod sealed {
    /// Nothing outside this crate can say that a second factor was shown.
    pub trait Sealed {}
    impl Sealed for crate::StepToClaim {}
    impl Sealed for crate::Acceptance {}
}

/// The proof that a bearer may administer, as far as factors go.
#[derive(Debug)]
pub struct Admission<'a> {
    bearer: &'a TokenRecord,
}

/// The bearer has to show a second factor first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecondFactorDue;

/// Decides whether a bearer is admitted, when `due` is the provider of the second factor that is
/// due of this user, if any is.
///
/// # Errors
/// A partial token is not enough while a second factor is due.
pub fn admit(
    bearer: &TokenRecord,
    due: Option<MfaProviderId>,
) -> Result<Admission<'_>, SecondFactorDue> {
    match (bearer.kind, due) {
        (TokenKind::Partial, Some(_)) => Err(SecondFactorDue),
        (TokenKind::Partial, None) | (TokenKind::Verified | TokenKind::Admin, _) => {
            Ok(Admission { bearer })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_opens_its_doors() {
        let opened = |door| TokenKind::ALL.map(|kind| kind.opens(door));
        assert_eq!(opened(Door::SecondFactor), [true, false, false]);
        assert_eq!(opened(Door::Authorization), [true, true, true]);
        assert_eq!(opened(Door::Logout), [true, true, true]);
        assert_eq!(opened(Door::Administration), [false, false, true]);
    }

    #[test]
    fn a_token_is_read_back() {
        let token = Token::from_bytes([0xfb; 32]);
        let text = token.reveal();
        assert_eq!(text.expose().len(), 44);
        assert_eq!(Token::parse(text.expose()).unwrap().hash(), token.hash());
    }

    #[test]
    fn garbage_is_no_token() {
        for text in [
            "",
            "AAAA",
            "not base64!",
            &"A".repeat(43),
            &"A".repeat(4096),
        ] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
        let longer = STANDARD.encode([0; 33]);
        assert!(Token::parse(&longer).is_none());
    }
}
