//! How the program ends.

use std::process::ExitCode;

/// The result of a command, for the shell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It did what it was asked.
    Success,
    /// It did not.
    Failure,
    /// It was asked wrongly: arguments or settings (`EX_USAGE` of sysexits.h).
    Usage,
    /// The server cannot be reached (`EX_UNAVAILABLE` of sysexits.h).
    Unavailable,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 64,
            Self::Unavailable => 69,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
