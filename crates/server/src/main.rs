//! The program.

use std::process::ExitCode;
use std::sync::Arc;

use vestibule_server::cli;
use vestibule_service::SystemClock;

fn main() -> ExitCode {
    let exit = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli::run(cli, Arc::new(SystemClock::new())),
        Err(exit) => exit,
    };
    exit.into()
}
