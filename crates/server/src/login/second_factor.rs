//! The dialogue of the second factor.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, interval};
use vestibule_engine::Secret;
use vestibule_wire::messages;

use super::prompt::Prompt;
use super::{LoginError, qr};
use crate::client::{Challenge, Client, ClientError, Kind, Refusal, Session, printable};
use crate::output;

/// Wrong answers before this gives up.
const TRIES: u32 = 3;
/// Questions of one dialogue before this gives up.
const ROUNDS: u32 = 20;
/// What is sent in the place of a code when somebody approves elsewhere.
const DUMMY: &str = "push";
/// How long an answer may take when nobody has to be waited for.
const PATIENCE: Duration = Duration::from_secs(40);
/// The longest that a provider may let its servers take, and the way there and back.
const LONGEST_CHALLENGE: Duration = Duration::from_secs(320);
/// What is added to the time that the server gives, for the way there and back.
const SLACK: Duration = Duration::from_secs(20);

/// Shows the second factor; the token that it earns.
pub(super) async fn show(
    client: &mut Client,
    prompt: Prompt,
    partial: &Secret<String>,
    password: &Secret<String>,
) -> Result<Secret<String>, LoginError> {
    let challenge = client
        .initialize(partial, password, LONGEST_CHALLENGE)
        .await?;
    match challenge.kind {
        Kind::Push => wait_for_approval(client, partial, password, &challenge).await,
        Kind::Secret => {
            show_seed(&challenge);
            ask(client, prompt, partial, &challenge).await
        }
        Kind::AlreadySeeded | Kind::Challenge => ask(client, prompt, partial, &challenge).await,
    }
}

fn show_seed(challenge: &Challenge) {
    output::note("This is your first sign-in: scan the code with an authenticator app.\n");
    if let Some(url) = &challenge.otp_auth_url {
        if let Some(drawing) = qr::draw(url.expose(), io::stderr().is_terminal()) {
            output::note(Secret::new(drawing).expose());
        }
        output::note(format_args!("Or open: {}", printable(url.expose())));
    }
    if let Some(secret) = &challenge.secret {
        output::note(format_args!(
            "Or type in the secret: {}\n",
            printable(secret.expose())
        ));
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    otp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
}

/// Asks until an answer is right.
async fn ask(
    client: &mut Client,
    prompt: Prompt,
    partial: &Secret<String>,
    challenge: &Challenge,
) -> Result<Secret<String>, LoginError> {
    let mut tries_left = TRIES;
    let mut question = challenge.response_message.as_deref().map(printable);
    for _ in 0..ROUNDS {
        let otp = ask_once(prompt, challenge, question.as_deref())?;
        let answer = Answer {
            otp: otp.expose(),
            state: challenge.state.as_deref(),
        };
        let patience = patience(challenge);
        let refusal = match client.finish(partial, &answer, patience).await {
            Ok(Session { token }) => return Ok(token),
            Err(ClientError::Refused(refusal)) if is_wrong_answer(&refusal) => refusal,
            Err(error) => return Err(error.into()),
        };
        match (&refusal.reason, challenge.kind) {
            // Whatever is typed now, there is nothing that it could answer.
            (Some(reason), _) if reason == messages::NO_CHALLENGE => {
                return Err(LoginError::Refused(reason.clone()));
            }
            // The server asks something else before it decides.
            (Some(reason), Kind::Challenge) if *reason != refusal.message => {
                question = Some(printable(reason));
            }
            (_, Kind::AlreadySeeded | Kind::Secret | Kind::Challenge | Kind::Push) => {
                tries_left -= 1;
                if tries_left == 0 {
                    return Err(ClientError::Refused(refusal).into());
                }
                output::note(format_args!("{refusal}"));
            }
        }
    }
    Err(LoginError::Refused(
        "the server asks without end".to_owned(),
    ))
}

fn ask_once(
    prompt: Prompt,
    challenge: &Challenge,
    question: Option<&str>,
) -> Result<Secret<String>, LoginError> {
    let question = match question.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{} ", text.trim_end()),
        None => "One-time password: ".to_owned(),
    };
    if challenge.input_type.as_deref() == Some("Masked") {
        return Ok(prompt.ask_hidden(&question)?);
    }
    Ok(Secret::new(prompt.ask(&question)?))
}

/// Whether a refusal leaves the dialogue open. A token that ended is refused in other words.
fn is_wrong_answer(refusal: &Refusal) -> bool {
    refusal.status == reqwest::StatusCode::UNAUTHORIZED
        && refusal.failure_type.as_deref() == Some("Mfa")
}

/// How long an answer may take.
fn patience(challenge: &Challenge) -> Duration {
    let seconds = challenge.timeout.unwrap_or_default();
    let given = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    PATIENCE.max(given.min(Duration::from_hours(1)).saturating_add(SLACK))
}

/// Lets the server ask for an approval elsewhere, and waits for it.
async fn wait_for_approval(
    client: &mut Client,
    partial: &Secret<String>,
    password: &Secret<String>,
    challenge: &Challenge,
) -> Result<Secret<String>, LoginError> {
    if let Some(message) = &challenge.response_message {
        output::note(printable(message));
    }
    output::note("Waiting for the approval on your other device…");
    let otp = if challenge.send_password {
        password.expose().as_str()
    } else {
        DUMMY
    };
    let answer = Answer {
        otp,
        state: challenge.state.as_deref(),
    };
    let finished = client.finish(partial, &answer, patience(challenge));
    let session = if io::stderr().is_terminal() {
        with_progress(finished).await
    } else {
        finished.await
    };
    Ok(session?.token)
}

/// Shows that time passes.
async fn with_progress<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut ticks = interval(Duration::from_secs(1));
    let mut began: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            done = &mut work => {
                output::note_part("\r\u{1b}[K");
                return done;
            }
            tick = ticks.tick() => {
                let passed = tick - *began.get_or_insert(tick);
                output::note_part(format_args!("\r{} s", passed.as_secs()));
            }
        }
    }
}
