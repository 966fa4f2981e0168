//! Commands that are run one after the other, each announced and timed.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs `cargo` in the repository.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root);
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    let chosen = env::var_os("CARGO_TARGET_DIR");
    chosen.map_or_else(|| root.join("target"), |target| root.join(target))
}

/// Does one thing under a headline; whether it went well.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is told to people, and decides nothing"
)]
pub(crate) fn step(name: &str, act: impl FnOnce() -> bool) -> bool {
    println!("==> {name}");
    let start = Instant::now();
    let done = act();
    let word = if done { "ok" } else { "FAILED" };
    println!(
        "==> {name}: {word} after {:.1} s",
        start.elapsed().as_secs_f32()
    );
    done
}

/// Runs a command to its end; whether it said that all is well.
pub(crate) fn run(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => cannot_run(command, &error),
    }
}

/// Runs a command to its end and passes on what it writes to stdout, of which `see` gets each
/// line; whether it said that all is well.
pub(crate) fn run_seeing(command: &mut Command, mut see: impl FnMut(&str)) -> bool {
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return cannot_run(command, &error),
    };
    if let Some(stdout) = child.stdout.take() {
        // Whatever is no UTF-8 in it is a test's own output, and holds no result.
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            see(&line);
        }
    }
    child.wait().is_ok_and(|status| status.success())
}

/// What a command writes to stdout, if it said that all is well.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

fn cannot_run(command: &Command, error: &io::Error) -> bool {
    println!("cannot run {}: {error}", command.get_program().display());
    false
}
