//! The load generator of `cargo xtask bench`: how fast a real server is, against references of the
//! same run. `docs/PERFORMANCE.md` says what is measured.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are for stdout, and progress for the terminal"
)]

mod arena;
mod args;
mod contest;
mod disk;
mod enrolment;
mod fault;
mod figures;
mod growth;
mod http;
mod load;
mod machine;
mod phone;
mod plots;
mod pushes;
mod report;
mod rows;
mod scale;
mod site;
mod start;

use std::env;
use std::fmt;
use std::process::ExitCode;

use args::Args;
use fault::{Fault, OrFault as _, Result};
use report::Line;
use rows::Row;
use scale::Model;
use site::Postgres;

/// The exit code of a wrong command line, as in sysexits(3).
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    if env::args().skip(1).eq([arena::ECHO.to_owned()]) {
        return match arena::serve_echo() {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => failure(&fault),
        };
    }
    let Some(args) = Args::read(env::args().skip(1)) else {
        eprintln!("{}", args::USAGE);
        return ExitCode::from(EX_USAGE);
    };
    if args.simulate {
        return match Model::read(&args.into) {
            Ok(model) => {
                print!("{}", model.tables());
                ExitCode::SUCCESS
            }
            Err(fault) => failure(&fault),
        };
    }
    match measure(&args, &machine::description()) {
        Ok((machine, lines)) => {
            if args.json {
                println!("{:#}", report::json(&machine, args.rounds, &lines));
            } else {
                print!("{}", report::table(&machine, args.rounds, &lines));
            }
            let failed = lines.iter().any(|line| !line.faults.is_empty());
            ExitCode::from(u8::from(failed))
        }
        Err(fault) => failure(&fault),
    }
}

fn failure(fault: &Fault) -> ExitCode {
    eprintln!("{fault}");
    ExitCode::FAILURE
}

/// On one thread: the cores are for those who are measured.
fn measure(args: &Args, machine: &str) -> Result<(String, Vec<Line>)> {
    let postgres = Postgres::start()?;
    let machine = format!("{machine}, {}", postgres.version()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_fault("no runtime")?;
    let lines = runtime.block_on(async {
        let mut lines = contest::run(args, &postgres).await?;
        if args.rows.contains(&Row::P5) {
            lines.extend(pushes::run(args, &postgres).await?);
        }
        if args.rows.contains(&Row::P7) {
            lines.push(enrolment::run(args, &postgres).await?);
        }
        if args.rows.contains(&Row::P8) {
            lines.extend(growth::run(args, &postgres).await?);
        }
        if args.rows.contains(&Row::P9) {
            lines.extend(start::run(args).await?);
        }
        lines.extend(plots::run(args, &postgres, &machine).await?);
        lines.sort_by_key(|line| Row::named(line.row).map(|row| row as usize));
        Ok(lines)
    })?;
    Ok((machine, lines))
}

/// Tells whoever waits what is going on.
fn progress(what: fmt::Arguments<'_>) {
    eprintln!("{what}");
}
