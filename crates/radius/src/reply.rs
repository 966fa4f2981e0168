//! What signed answers say.

use std::time::Duration;

use crate::State;
use crate::codec::{code, kind};

/// Characters of a message that are kept.
const LONGEST_MESSAGE: usize = 1024;

/// A signed answer that a server may give. What it means depends on what was asked for: an
/// acceptance need not be a login.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Accepted, rejected, or asked for more.
    pub verdict: Verdict,
    /// All Reply-Messages, one below the other, for people (RFC 2865 §5.18). Without control
    /// characters but line feeds, 1,024 characters at most; never empty. Not markup: escape it.
    pub message: Option<String>,
    /// How long the server waits for the answer to a challenge, or lets a session last (RFC 2865
    /// §5.27).
    pub session_timeout: Option<Duration>,
    /// Whether the answer to a challenge may be shown while it is typed (RFC 2869 §5.10).
    pub prompt: Option<Prompt>,
    /// The values of Class, as they came (RFC 2865 §5.25).
    pub class: Vec<Vec<u8>>,
}

/// What a server decided.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Access-Accept (RFC 2865 §4.2).
    Accept,
    /// Access-Reject (RFC 2865 §4.3).
    Reject,
    /// Access-Challenge (RFC 2865 §4.4).
    Challenge {
        /// What the next round must carry. A server may do without.
        state: Option<State>,
    },
}

/// Whether what the user types may be seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prompt {
    /// It may not.
    NoEcho,
    /// It may.
    Echo,
}

/// What a server signed and must not send.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// More than one State (RFC 2865 §5.24): which one to send back is anybody's guess.
    #[error("the server sent more than one State")]
    StateTwice,
    /// A State without an octet (RFC 2865 §5.24), which cannot be sent back.
    #[error("the server sent an empty State")]
    EmptyState,
}

/// The kinds of answers to an Access-Request.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Accept,
    Reject,
    Challenge,
}

impl Kind {
    pub(crate) const fn of(code: u8) -> Option<Self> {
        match code {
            code::ACCESS_ACCEPT => Some(Self::Accept),
            code::ACCESS_REJECT => Some(Self::Reject),
            code::ACCESS_CHALLENGE => Some(Self::Challenge),
            _ => None,
        }
    }
}

/// Reads the attributes of an answer that was verified. Those that make no sense are passed over,
/// except a State.
pub(crate) fn read<'a>(
    of: Kind,
    attributes: impl Iterator<Item = (u8, &'a [u8])>,
) -> Result<Reply, Broken> {
    let mut state = None;
    let mut message = Message::default();
    let mut session_timeout = None;
    let mut prompt = None;
    let mut class = Vec::new();
    for (kind, value) in attributes {
        match kind {
            kind::STATE => {
                let this = State::new(value).map_err(|_| Broken::EmptyState)?;
                if state.replace(this).is_some() {
                    return Err(Broken::StateTwice);
                }
            }
            kind::REPLY_MESSAGE => message.add(value),
            kind::SESSION_TIMEOUT => session_timeout = session_timeout.or(number(value)),
            kind::PROMPT => prompt = prompt.or(number(value)),
            kind::CLASS => class.push(value.to_vec()),
            _ => {}
        }
    }
    Ok(Reply {
        verdict: match of {
            Kind::Accept => Verdict::Accept,
            Kind::Reject => Verdict::Reject,
            Kind::Challenge => Verdict::Challenge { state },
        },
        message: message.end(),
        session_timeout: session_timeout.map(|seconds| Duration::from_secs(seconds.into())),
        prompt: prompt.and_then(|number| match number {
            0 => Some(Prompt::NoEcho),
            1 => Some(Prompt::Echo),
            _ => None,
        }),
        class,
    })
}

/// An integer of an attribute (RFC 2865 §5).
fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// Reply-Messages as they come in.
#[derive(Default)]
struct Message {
    text: String,
    length: usize,
    has_lines: bool,
}

impl Message {
    /// Adds a Reply-Message on a line of its own. What is not UTF-8 becomes U+FFFD.
    fn add(&mut self, value: &[u8]) {
        if self.has_lines {
            self.push('\n');
        }
        self.has_lines = true;
        for character in String::from_utf8_lossy(value).chars() {
            if character == '\n' || !character.is_control() {
                self.push(character);
            }
        }
    }

    fn push(&mut self, character: char) {
        if self.length < LONGEST_MESSAGE {
            self.length += 1;
            self.text.push(character);
        }
    }

    /// All of it, unless there is nothing to see.
    fn end(self) -> Option<String> {
        let text = self.text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(messages: &[&[u8]], expected: Option<&str>) {
        let attributes = messages.iter().map(|m| (kind::REPLY_MESSAGE, *m));
        let reply = read(Kind::Reject, attributes).unwrap();
        assert_eq!(reply.message.as_deref(), expected);
    }

    #[test]
    fn messages_are_cleaned_and_joined() {
        check(&[], None);
        check(&[b""], None);
        check(&[b"\0\r\n"], None);
        check(&[b"Hello bob"], Some("Hello bob"));
        check(&[b"line one", b"line two"], Some("line one\nline two"));
        check(&[b"one\r\ntwo\r\n"], Some("one\ntwo"));
        check(&[b"\x1b[31mred\x07\x7f\xc2\x9b"], Some("[31mred"));
        check(&[b"Kennwort ung\xfcltig"], Some("Kennwort ung\u{fffd}ltig"));
        check(&["ungültig".as_bytes()], Some("ungültig"));
    }

    #[test]
    fn a_message_ends_after_1024_characters() {
        let long = "ü".repeat(126);
        let messages = [long.as_bytes(); 16];
        let attributes = messages.iter().map(|m| (kind::REPLY_MESSAGE, *m));
        let message = read(Kind::Reject, attributes).unwrap().message.unwrap();
        assert_eq!(message.chars().count(), 1024);
        assert_eq!(message.matches('\n').count(), 8);
    }

    #[test]
    fn numbers_that_are_none_are_passed_over() {
        let attributes: [(u8, &[u8]); 5] = [
            (kind::SESSION_TIMEOUT, &[0, 60]),
            (kind::SESSION_TIMEOUT, &[0, 0, 0, 60]),
            (kind::SESSION_TIMEOUT, &[0, 0, 0, 61]),
            (kind::PROMPT, &[0, 0, 0, 1]),
            (kind::CLASS, &[1, 2]),
        ];
        let reply = read(Kind::Challenge, attributes.into_iter()).unwrap();
        assert_eq!(reply.session_timeout, Some(Duration::from_mins(1)));
        assert_eq!(reply.prompt, Some(Prompt::Echo));
        assert_eq!(reply.class, [vec![1, 2]]);
        assert!(matches!(reply.verdict, Verdict::Challenge { state: None }));
    }

    #[test]
    fn a_prompt_that_is_neither_is_none() {
        let prompt = |value: &[u8]| {
            read(Kind::Challenge, [(kind::PROMPT, value)].into_iter())
                .unwrap()
                .prompt
        };
        assert_eq!(prompt(&[0, 0, 0, 0]), Some(Prompt::NoEcho));
        assert_eq!(prompt(&[0, 0, 0, 2]), None);
        assert_eq!(prompt(&[1]), None);
    }
}
