//! What is done to this repository, as `cargo xtask <command>`.

#![expect(
    clippy::print_stdout,
    reason = "what it finds is for the terminal; there is no log"
)]

mod api;
mod bench;
mod check;
mod count;
mod deny;
mod fuzz;
mod scenarios;
mod setup;
mod step;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use count::Count;

const USAGE: &str = "\
cargo xtask <command>

  test    installs what the tests need, then formatting, lints, all tests, the API against its
          document, and documentation; the last line is `N passed, N failed`
  scenarios
          how systems like this one were broken, tried in full, and a table of what came of it
  api     the API against its document, by schemathesis
  setup   installs what the tests need, where that is known how
  tidy    the rules that compilers do not know: layers, manifests, sources
  deny    licences, bans, sources and advisories of dependencies, by cargo-deny
  bench [P1|…|P10 …] [--json] [--rounds N]
          how fast a release build is, against references of the same run
  bench --plot [users|connections|requests|servers|pushes|soak …] [--soak TIME]
          the same over what grows, as pictures in docs/performance; `--soak 1h` alone is one of them
  bench --simulate
          what more servers and a larger database would do, by a model
  fuzz [TARGET] [--seconds N]
          gives hostile inputs to a target, or to each, for a minute or as long as asked for;
          needs cargo-fuzz and a nightly compiler";

/// The exit code of a wrong command line, as in sysexits(3).
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    let root = root();
    let done = match words[..] {
        ["test"] => check::run(&root),
        ["api"] => setup::schemathesis::install(&root) && api::run(&root, &mut Count::default()),
        ["scenarios"] => setup::run(&root) && scenarios::run(&root),
        ["setup"] => setup::run(&root),
        ["tidy"] => tidy::run(&root),
        ["deny"] => deny::run(&root),
        ["bench", ref words @ ..] => bench::run_with(&root, words),
        ["fuzz", ref words @ ..] => match fuzz::Request::read(words) {
            Some(request) => fuzz::run(&root, &request),
            None => return usage(),
        },
        _ => return usage(),
    };
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn usage() -> ExitCode {
    println!("{USAGE}");
    ExitCode::from(EX_USAGE)
}

/// The root of the repository.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}
