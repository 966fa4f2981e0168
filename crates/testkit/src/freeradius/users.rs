//! The users of a FreeRADIUS: who is always there, and what they can do.

use std::time::Duration;

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) behaviour: Behaviour,
    pub(super) messages: Vec<String>,
}

/// What comes after the password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behaviour {
    /// Nothing: the password is all.
    Plain,
    /// Never let in.
    Denied,
    /// A code is asked for: [`CODE`] is right, [`NEXT`] asks for another, all else is wrong.
    Challenge,
    /// A push that is accepted after a while.
    Accepts(Duration),
    /// A push that is declined after a while.
    Declines(Duration),
    /// A push that is accepted when the test says so.
    Held,
}

/// The password of all users that come with a server, but for [`LONG_PASSWORD`] and `jürgen`.
pub const PASSWORD: &str = "hello";

/// The password of `long`: as long as one can be.
pub const LONG_PASSWORD: &str = concat!(
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
);

/// The code that is right.
pub const CODE: &str = "123456";

/// The code that is followed by a question for the next one.
pub const NEXT: &str = "next";

impl User {
    /// A user of this name, who does nothing special and has the usual password.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: PASSWORD.to_owned(),
            behaviour: Behaviour::Plain,
            messages: Vec::new(),
        }
    }

    /// The same user with another password.
    pub fn with_password(self, password: &str) -> Self {
        Self {
            password: password.to_owned(),
            ..self
        }
    }

    /// The same user, of whom more is asked than the password.
    pub fn who(self, behaviour: Behaviour) -> Self {
        Self { behaviour, ..self }
    }

    /// The same user, who is told one more thing.
    pub fn told(mut self, message: &str) -> Self {
        self.messages.push(message.to_owned());
        self
    }

    /// The entry of the file `users`.
    pub(super) fn entry(&self) -> String {
        let mut checks = match self.behaviour {
            Behaviour::Denied => vec!["Auth-Type := Reject".to_owned()],
            Behaviour::Plain
            | Behaviour::Challenge
            | Behaviour::Accepts(_)
            | Behaviour::Declines(_)
            | Behaviour::Held => {
                vec![format!("Cleartext-Password := {}", quoted(&self.password))]
            }
        };
        let push = |checks: &mut Vec<String>, what: &str| {
            checks.push("Tmp-String-0 := \"push\"".to_owned());
            checks.push(format!("Tmp-String-1 := \"{what}\""));
        };
        match self.behaviour {
            Behaviour::Plain | Behaviour::Denied => {}
            Behaviour::Challenge => checks.push("Tmp-String-0 := \"challenge\"".to_owned()),
            Behaviour::Accepts(after) => {
                push(
                    &mut checks,
                    &format!("accept-after-{}", after.as_secs_f32()),
                );
            }
            Behaviour::Declines(after) => {
                push(&mut checks, &format!("deny-after-{}", after.as_secs_f32()));
            }
            Behaviour::Held => push(&mut checks, "held"),
        }
        let message = |message: &String| format!("    Reply-Message += {}", quoted(message));
        let messages: Vec<_> = self.messages.iter().map(message).collect();
        let (name, checks, messages) =
            (quoted(&self.name), checks.join(", "), messages.join(",\n"));
        format!("{name} {checks}\n{messages}\n")
    }
}

/// As a string of FreeRADIUS.
pub(super) fn quoted(text: &str) -> String {
    assert!(!text.contains('\\'), "there is no backslash in it");
    let escaped = text.replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// Who is at every server.
///
/// | user       | what happens                                             |
/// |------------|----------------------------------------------------------|
/// | `bob`      | let in by the password, told "Hello bob"                 |
/// | `multi`    | the same, told "line one" and "line two"                 |
/// | `denied`   | rejected, told "Account locked"                          |
/// | `long`     | let in by [`LONG_PASSWORD`]                              |
/// | `jürgen`   | let in by `pässwörd`                                     |
/// | `otp`      | asked for a code                                         |
/// | `push`     | accepts a push after 3 s                                 |
/// | `pushfast` | accepts a push after 0.3 s                               |
/// | `pushlong` | accepts a push after 65 s                                |
/// | `pushno`   | declines a push after 0.3 s                              |
/// | `held`     | accepts a push when the test says so                     |
/// | `drop…`    | gets no answer at all                                    |
pub(super) fn standard() -> Vec<User> {
    let user = |name| User::new(name);
    let accepts = |millis| Behaviour::Accepts(Duration::from_millis(millis));
    let declines = Behaviour::Declines(Duration::from_millis(300));
    vec![
        user("bob").told("Hello bob"),
        user("multi").told("line one").told("line two"),
        user("denied").who(Behaviour::Denied).told("Account locked"),
        user("long").with_password(LONG_PASSWORD),
        user("jürgen").with_password("pässwörd"),
        user("otp").who(Behaviour::Challenge),
        user("push").who(accepts(3_000)),
        user("pushfast").who(accepts(300)),
        user("pushlong").who(accepts(65_000)),
        user("pushno").who(declines),
        user("held").who(Behaviour::Held),
    ]
}
