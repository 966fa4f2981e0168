//! The program `vestibule` with a clock that a test moves over a socket; all else is the same.

use std::process::ExitCode;

use vestibule_server::cli;
use vestibule_testkit::remote_clock;

fn main() -> ExitCode {
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
