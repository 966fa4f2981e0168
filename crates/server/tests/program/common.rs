//! Runs the program as an operator would.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use vestibule_engine::{Seed, Timestamp, TotpStep};
use vestibule_service::{Clock as _, SystemClock};

/// The password of `admin` where a test gives one.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The program, with an empty environment.
pub(crate) fn vestibule(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// What an ended program printed to stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What an ended program printed to stdout.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn ended(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "stdout: {}\nstderr: {}",
        stdout(output),
        stderr(output)
    );
}

/// A server on a free port.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server over this data directory; `admin` has [`PASSWORD`].
    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[], &[("VESTIBULE_ADMIN_PASSWORD", PASSWORD)])
    }

    pub(crate) fn start_with(
        directory: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut server = Self::spawn(directory, arguments, environment);
        let mut line = String::new();
        server.stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("{line:?}\n{}", server.log()));
        url.clone_into(&mut server.url);
        server
    }

    /// Starts a server, whose URL is not known yet.
    pub(crate) fn spawn(
        directory: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let log = directory.join("log");
        let mut child = vestibule(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"])
            .args(arguments)
            .envs(environment.iter().copied())
            .env("VESTIBULE_LOG", "debug")
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
            url: String::new(),
            log,
        }
    }

    /// `127.0.0.1:port`
    pub(crate) fn address(&self) -> &str {
        let (_, rest) = self.url.split_once("://").unwrap();
        rest.strip_suffix("/admin").unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn wait_for_log(&mut self, text: &str) {
        while !self.log().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?} {}", self.log());
            std::thread::yield_now();
        }
    }

    /// Asks the server to end.
    pub(crate) fn signal(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Asks the server to end, and waits for it.
    pub(crate) fn terminate(self) -> (Option<i32>, String) {
        self.signal();
        self.ended()
    }

    /// Waits for the end; the exit code, and what was printed since the server was ready.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        while self.stdout.read_line(&mut rest).unwrap() > 0 {}
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `vestibule login` that is being talked to.
pub(crate) struct Dialogue {
    child: Child,
    stdin: ChildStdin,
    stderr: BufReader<ChildStderr>,
    /// What was said so far.
    pub(crate) said: String,
}

impl Dialogue {
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut child = vestibule(&["login", "--username", "admin"])
            .args(arguments)
            .env("XDG_CONFIG_HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
            said: String::new(),
        }
    }

    /// Waits for a line that begins so; the rest of it.
    pub(crate) fn wait_for(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.stderr.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "no {beginning:?} in: {}", self.said);
            self.said.push_str(&line);
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    pub(crate) fn answer(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Output {
        drop(self.stdin);
        let mut line = String::new();
        while self.stderr.read_line(&mut line).unwrap() > 0 {
            self.said.push_str(&line);
            line.clear();
        }
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.said.into_bytes();
        output
    }
}

/// An authenticator.
pub(crate) struct Authenticator {
    seed: Seed,
    step: u64,
}

impl Authenticator {
    pub(crate) fn new(base32: &str) -> Self {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bits = 0u16;
        let mut count = 0;
        let mut bytes = Vec::new();
        for c in base32.bytes() {
            let digit = ALPHABET.iter().position(|&a| a == c).unwrap();
            bits = bits << 5 | u16::try_from(digit).unwrap();
            count += 5;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count).unwrap());
                bits &= (1 << count) - 1;
            }
        }
        let now: Timestamp = SystemClock::new().wall();
        Self {
            seed: Seed::from_slice(&bytes).unwrap(),
            step: TotpStep::at(now).number(),
        }
    }

    /// A code that was not shown before: the present one, then the next.
    pub(crate) fn code(&mut self) -> String {
        let code = self.seed.code(TotpStep::new(self.step)).unwrap();
        self.step += 1;
        code.expose().clone()
    }
}
