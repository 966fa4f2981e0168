//! The API against its document: schemathesis calls the real server, with what the document allows
//! and with what it does not, and looks whether the answers are documented ones.
//!
//! `xtask/schemathesis` has how it signs in and what it leaves alone.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::count::Count;
use crate::setup::schemathesis;
use crate::step::{self, cargo};

/// What `xtask/schemathesis/hooks.py` signs in with.
const PASSWORD: &str = "correct horse battery staple";

/// Runs it; whether the server did what the document says.
pub(crate) fn run(root: &Path, count: &mut Count) -> bool {
    let folder = root.join("target/api");
    match checked(root, &folder, count) {
        Ok(went_well) => {
            count.end(went_well);
            went_well
        }
        Err(reason) => {
            println!("{reason}");
            count.end(false);
            false
        }
    }
}

fn checked(root: &Path, folder: &Path, count: &mut Count) -> Result<bool, String> {
    // Of an earlier run, if it is there.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // As the tests built it, or it would be built once more with other features.
    let build = [
        "test",
        "--workspace",
        "--all-features",
        "--no-run",
        "--quiet",
    ];
    if !step::run(&mut cargo(root, &build)) {
        return Err("the server was not built".to_owned());
    }
    let program = step::target(root).join("debug/vestibule");
    let server = Server::start(&program, folder)?;
    // Programs have no second factor.
    let mut exempt = vestibule(&program, folder, &["user", "exempt", "admin"]);
    if !step::run(exempt.args(["--until", "2100-01-01T00:00:00Z"])) {
        return Err("the administrator was not exempted".to_owned());
    }
    let report = folder.join("junit.xml");
    let ours = root.join("xtask/schemathesis");
    let mut command = Command::new(schemathesis::python(root));
    command
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(ours.join("schemathesis.toml"))
        .args(["run", "--report", "junit", "--report-junit-path"])
        .arg(&report)
        .arg(format!("{}/openapi.json", server.url))
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", &ours)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder);
    let went_well = step::run(&mut command);
    let report = fs::read_to_string(&report).map_err(|error| format!("no report: {error}"))?;
    report.lines().for_each(|line| count.see(line));
    Ok(went_well)
}

/// The program, over its own data and nobody else's settings.
fn vestibule(program: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).args(["--data-dir", "data"]);
    command.env_clear().current_dir(folder);
    command
}

/// A server that ends when it is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(program: &Path, folder: &Path) -> Result<Self, String> {
        let log = folder.join("server.log");
        let log = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let args = ["serve", "--http", "--listen", "127.0.0.1:0"];
        let process = vestibule(program, folder, &args)
            .env("VESTIBULE_ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Self {
            process,
            url: String::new(),
        };
        let mut line = String::new();
        if let Some(stdout) = server.process.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(|error| error.to_string())?;
        }
        let url = line.trim_end().strip_prefix("listening on ");
        let url = url.ok_or_else(|| {
            let log: PathBuf = folder.join("server.log");
            format!("the server did not start: see {}", log.display())
        })?;
        url.clone_into(&mut server.url);
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and has nothing that matters.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
