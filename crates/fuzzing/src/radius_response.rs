//! What must be true of every datagram that comes back from a RADIUS server.

use md5::{Digest as _, Md5};
use vestibule_radius::{
    Answer, Authenticator, Discard, SharedSecret, Verdict, Verified, verify, verify_status,
};

/// What the files of the corpus are signed with.
const SECRET: &str = "xyzzy5461";
/// The authenticator of the request that they answer.
const ASKED: [u8; 16] = *b"0123456789abcdef";

/// Gives a datagram to the verifier: as it is, and with a right signature over it.
pub fn check(datagram: &[u8]) {
    verified(datagram);
    let Some(signed) = signed(datagram) else {
        return;
    };
    let is_answer = matches!(signed.first(), Some(2 | 3 | 11));
    let (is_well_formed, has_signature) = walk(&signed[20..]);
    let verified = verified(&signed);
    if !has_signature {
        assert_eq!(verified.is_some(), is_answer && is_well_formed);
    }
}

/// The answer, if it is one with or without a Message-Authenticator.
fn verified(datagram: &[u8]) -> Option<Verified> {
    let secret = SharedSecret::new(SECRET).expect("it is not empty");
    let pending = |octets| move |_| Some(Authenticator::from_random(octets));
    let strict = verify(datagram, pending(ASKED), &secret, true);
    let lax = verify(datagram, pending(ASKED), &secret, false);
    let status = verify_status(datagram, pending(ASKED), &secret);
    match (&strict, &lax) {
        (Ok(strict), Ok(lax)) => {
            assert!(strict.has_message_authenticator && lax.has_message_authenticator);
        }
        (Err(Discard::MessageAuthenticatorMissing), Ok(lax)) => {
            assert!(!lax.has_message_authenticator);
        }
        (Err(Discard::MessageAuthenticatorMissing), Err(_)) => {}
        (Err(strict), Err(lax)) => assert_eq!(strict, lax),
        (strict, lax) => panic!("{strict:?} if strict, {lax:?} if lax"),
    }
    let Ok(lax) = lax else {
        return None;
    };
    // It is the answer to nothing else, and of nobody else.
    let wrong = Some(Discard::WrongResponseAuthenticator);
    let other = verify(datagram, pending([0; 16]), &secret, false);
    assert_eq!(other.err(), wrong);
    let stranger = SharedSecret::new("xyzzy5462").expect("it is not empty");
    assert_eq!(
        verify(datagram, pending(ASKED), &stranger, false).err(),
        wrong
    );
    assert_eq!(status.is_ok(), datagram.first() == Some(&2));
    if let Answer::Reply(reply) = &lax.answer {
        let message = reply.message.as_deref().unwrap_or("-");
        assert!((1..=1024).contains(&message.chars().count()));
        assert!(message.chars().all(|c| c == '\n' || !c.is_control()));
        if let Verdict::Challenge { state: Some(state) } = &reply.verdict {
            assert!((1..=253).contains(&state.as_octets().len()));
        }
    }
    Some(lax)
}

/// The same code, identifier and attributes with a right Length and Response Authenticator.
fn signed(datagram: &[u8]) -> Option<Vec<u8>> {
    let attributes = datagram.get(20..)?;
    let length = u16::try_from(datagram.len()).ok().filter(|n| *n <= 4096)?;
    let mut packet = datagram.to_vec();
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    let mut md5 = Md5::new();
    md5.update(&packet[..4]);
    md5.update(ASKED);
    md5.update(attributes);
    md5.update(SECRET);
    packet[4..20].copy_from_slice(&md5.finalize());
    Some(packet)
}

/// Whether attributes fill their room exactly, and whether one is a Message-Authenticator.
fn walk(mut rest: &[u8]) -> (bool, bool) {
    let mut has_signature = false;
    while let [kind, length, ..] = *rest {
        if length < 2 || usize::from(length) > rest.len() {
            return (false, has_signature);
        }
        has_signature |= kind == 80;
        rest = &rest[usize::from(length)..];
    }
    (rest.is_empty(), has_signature)
}
