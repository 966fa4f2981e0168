//! The reference of what only reads: the same HTTP server with nothing behind it.
//!
//! It is this program, started once more, so that it has a process and threads of its own as a
//! server has.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Heat;
use super::venue::{CONNECTIONS, PATIENCE};
use crate::fault::{Fault, OrFault as _, Result};
use crate::http::{Answer, Request};
use crate::load::{Tempo, drive};

/// The only argument of this program when it is the echo.
pub(crate) const ARGUMENT: &str = "--echo";
/// Requests of a heat, for each session of the others: an echo is that much faster.
pub(super) const TIMES: usize = 5;
/// As long a path as the one that it is compared with.
const PATH: &str = "/admin/authentication/otp/initialize";
/// As long a token.
const TOKEN: &str = "0123456789012345678901234567890123456789012";

/// A server that answers with what it was sent. It is killed when it is dropped, and when this
/// program ends.
pub(super) struct Echo {
    process: Child,
    address: SocketAddr,
}

/// Is that server, until it is killed.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_fault("no runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.or_fault("the echo cannot listen")?;
        let address = listener.local_addr().or_fault("the echo has no address")?;
        let written = writeln!(std::io::stdout(), "{address}");
        written.or_fault("nobody hears of the echo")?;
        let router =
            axum::Router::new().route(PATH, post(async |Json(body): Json<Value>| Json(body)));
        axum::serve(listener, router).await.or_fault("the echo")
    })
}

impl Echo {
    pub(super) fn start() -> Result<Self> {
        let this = env::current_exe().or_fault("this program is not found")?;
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(this)
            .arg(ARGUMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .or_fault("the echo cannot be run")?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.or_fault("the echo says nothing")?;
        }
        let Ok(address) = line.trim().parse() else {
            // Before anything else is: it may still run.
            let _ = process.kill();
            let _ = process.wait();
            return Err(Fault::new("the echo does not start"));
        };
        Ok(Self { process, address })
    }

    /// Sends what the answers of the other contender say, and expects it back.
    pub(super) async fn heat(&self, requests: usize) -> Result<Heat> {
        let body = json!({ "type": "AlreadySeeded", "inputType": "Numeric" });
        let request = Request::post(PATH, Some(TOKEN), &body)?;
        let requests = vec![request; requests];
        let load = drive(self.address, CONNECTIONS, requests, Tempo::Closed, PATIENCE).await?;
        let same = |answer: Option<&Answer>| {
            let answer: Value = answer.or_fault("lost: no echo came")?.read()?;
            let wrong = || Fault::new("wrong: an echo says something else");
            (answer == body).then_some(()).ok_or_else(wrong)
        };
        Ok(Heat {
            per_second: load.throughput(),
            faults: load.faults(same),
            latencies: load.latencies,
        })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
