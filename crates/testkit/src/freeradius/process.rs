//! The processes of an instance: the server, a shell that minds it, and one that sees files grow.
//!
//! The shell starts and stops the server as it is told to on a pipe from this process. When the
//! pipe ends, so do the server and all it started, and the directory: however this process ends.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shell that minds a server.
#[derive(Debug)]
pub(super) struct Supervisor {
    child: Child,
    /// None when it is to end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Starts the shell, which makes the directory. `server` runs later, with its name appended.
    pub(super) fn start(server: &[OsString]) -> (Self, PathBuf) {
        // A session of its own, so that its pushes are killed with the server.
        const SCRIPT: &str = r#"
            trap '' INT TERM HUP
            directory=$(mktemp -d "${TMPDIR:-/tmp}/vestibule-freeradius-XXXXXX") || exit
            echo "$directory"
            server=
            stop() {
                [ -z "$server" ] && return
                kill -s KILL -- "-$server" "$server" 2> /dev/null
                wait "$server"
                server=
            }
            while read -r command; do
                stop
                if [ "$command" = start ]; then
                    setsid "$@" "$directory" < /dev/null >> "$directory/log" 2>&1 &
                    server=$!
                fi
                echo done
            done
            stop 2> /dev/null
            until rm -rf "$directory" 2> /dev/null; do :; done"#;
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "supervisor"])
            .args(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            // Away from the terminal's group: an interrupt is for the tests.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let stdout = child.stdout.take().expect("it is a pipe");
        let mut supervisor = Self {
            commands: child.stdin.take(),
            child,
            answers: BufReader::new(stdout),
        };
        let directory = PathBuf::from(supervisor.answer());
        assert!(directory.is_dir(), "there is room for a scratch directory");
        (supervisor, directory)
    }

    /// Starts the server, without waiting until it answers.
    pub(super) fn launch(&mut self) {
        self.tell("start");
    }

    /// Kills the server and waits for its end.
    pub(super) fn stop(&mut self) {
        self.tell("stop");
    }

    fn tell(&mut self, command: &str) {
        let commands = self.commands.as_mut().expect("it is told before its end");
        writeln!(commands, "{command}").expect("the supervisor listens");
        assert_eq!(self.answer(), "done");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the supervisor answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}

/// Tells those who wait that files have grown.
#[derive(Debug)]
pub(super) struct Growth {
    tail: Child,
    signal: Arc<(Mutex<()>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Growth {
    /// Watches files that are there.
    pub(super) fn of(files: [&Path; 2]) -> io::Result<Self> {
        let mut tail = Command::new("tail")
            // From the start, so that nothing is missed that is written before it looks.
            .args(["--quiet", "--lines=+1", "--follow=descriptor"])
            // Should this process be killed, it ends by itself.
            .arg(format!("--pid={}", std::process::id()))
            .args(files)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut output = tail.stdout.take().expect("it is a pipe");
        let signal = Arc::new((Mutex::new(()), Condvar::new()));
        let reader = thread::spawn({
            let signal = Arc::clone(&signal);
            move || {
                let mut some = [0; 4096];
                while output.read(&mut some).is_ok_and(|read| read > 0) {
                    // With the lock, or it would be missed by those who have just looked.
                    let _looking = signal.0.lock().unwrap_or_else(PoisonError::into_inner);
                    signal.1.notify_all();
                }
            }
        });
        Ok(Self {
            tail,
            signal,
            reader: Some(reader),
        })
    }

    /// Waits until what is read from the files is as it should be; whether it ever was.
    pub(super) fn wait_until(&self, is_reached: impl Fn() -> bool) -> bool {
        let (looking, changed) = &*self.signal;
        let looking = looking.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(looking, PATIENCE, |()| !is_reached());
        let (_looking, result) = waited.unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        let _ = self.tail.kill();
        let _ = self.tail.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
