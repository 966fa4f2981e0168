//! Where a new password comes from.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use vestibule_engine::Secret;

use super::OperatorError;
use crate::files::{read_password, without_line_end};

/// Reads a new password: from the file, from the person at the terminal (twice), or from stdin.
pub(super) fn read(file: Option<&Path>, name: &str) -> Result<Secret<String>, OperatorError> {
    if let Some(file) = file {
        return read_password(file)
            .map_err(|error| OperatorError::Refused(format!("{} {error}", file.display())));
    }
    let password = if io::stdin().is_terminal() {
        ask_twice(name)?
    } else {
        read_line()?
    };
    if password.expose().is_empty() {
        return Err(OperatorError::Usage(
            "the password may not be empty".to_owned(),
        ));
    }
    Ok(password)
}

fn ask_twice(name: &str) -> Result<Secret<String>, OperatorError> {
    let ask = |question: &str| rpassword::prompt_password(question).map(Secret::new);
    let first = ask(&format!("New password of {name}: "))?;
    let second = ask("The same again: ")?;
    if !first.same_as(&second) {
        return Err(OperatorError::Refused(
            "the passwords differ: nothing was changed".to_owned(),
        ));
    }
    Ok(first)
}

fn read_line() -> Result<Secret<String>, OperatorError> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let line = Secret::new(line);
    read?;
    Ok(Secret::from(without_line_end(line.expose())))
}
