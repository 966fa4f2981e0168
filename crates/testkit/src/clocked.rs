//! The program with a clock that a test moves over a socket; all else is the same.

use std::process::ExitCode;

use vestibule_server::cli;

use crate::remote_clock;

/// Runs the program, with the clock that the environment names.
pub fn main() -> ExitCode {
    let Ok(address) = std::env::var(remote_clock::VARIABLE) else {
        return ExitCode::FAILURE;
    };
    let Ok(clock) = remote_clock::connect(&address) else {
        return ExitCode::FAILURE;
    };
    let exit = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli::run(cli, clock),
        Err(exit) => exit,
    };
    exit.into()
}
