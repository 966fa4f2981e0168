//! Questions to the person at the terminal, or to the lines of a script.

use std::io::{self, BufRead as _, IsTerminal as _};

use vestibule_engine::Secret;

use crate::files::without_line_end;
use crate::output;

/// Where answers come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Prompt {
    /// A person.
    Terminal,
    /// The lines of stdin, whatever they come from.
    Lines,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PromptError {
    /// The terminal or the pipe is broken.
    #[error("the answer cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The lines are used up.
    #[error("stdin ended before the answer to `{question}`")]
    End {
        /// What was asked.
        question: String,
    },
}

impl Prompt {
    pub(super) fn of_process() -> Self {
        if io::stdin().is_terminal() {
            Self::Terminal
        } else {
            Self::Lines
        }
    }

    /// Whether there is a person to decide something.
    pub(super) const fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal)
    }

    /// Asks for something that may be seen.
    pub(super) fn ask(self, question: &str) -> Result<String, PromptError> {
        output::note_part(question);
        let answer = read_line(question);
        if self == Self::Lines {
            // Nobody typed a line end.
            output::note("");
        }
        answer.map(|answer| answer.expose().trim().to_owned())
    }

    /// Asks for something that nobody should see.
    pub(super) fn ask_hidden(self, question: &str) -> Result<Secret<String>, PromptError> {
        match self {
            Self::Terminal => Ok(Secret::new(rpassword::prompt_password(question)?)),
            Self::Lines => {
                output::note(question);
                read_line(question)
            }
        }
    }
}

fn read_line(question: &str) -> Result<Secret<String>, PromptError> {
    let mut line = String::new();
    let length = io::stdin().lock().read_line(&mut line);
    let line = Secret::new(line);
    if length? == 0 {
        return Err(PromptError::End {
            question: question.trim().to_owned(),
        });
    }
    Ok(Secret::from(without_line_end(line.expose())))
}
