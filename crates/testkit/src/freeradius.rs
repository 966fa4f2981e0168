//! Private FreeRADIUS servers, from the binaries that are on this machine.
//!
//! A server lives in a scratch directory and listens on a port of the loopback. It writes down
//! each login and each push before it answers, so that who has the answer can count them. It ends
//! with its value, or with this process, however that ends.

#![expect(
    clippy::missing_panics_doc,
    reason = "all of it panics when it cannot be set up"
)]

mod process;
mod setup;
mod users;
mod version;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use process::{Growth, Supervisor};

pub use setup::{SECRET, Setup};
pub use users::{Behaviour, CODE, LONG_PASSWORD, NEXT, PASSWORD, User};
pub use version::{Version, versions};

/// The source address from which unsigned requests are not taken.
pub const STRICT_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// The file with what the server has to say.
const LOG: &str = "log";

/// The file with a line for each push: the user.
const PUSHES: &str = "pushes";

/// A running server.
#[derive(Debug)]
pub struct FreeRadius {
    version: Version,
    address: SocketAddr,
    secret: String,
    directory: PathBuf,
    /// The users that hold pushes, and the pipes on which these wait.
    gates: Vec<(String, File)>,
    /// Before the supervisor, whose end removes what it watches.
    growth: Growth,
    supervisor: Mutex<Supervisor>,
}

impl FreeRadius {
    /// Whether this version is on this machine.
    pub fn available(version: Version) -> bool {
        version.program().is_some()
    }

    /// Starts a server and waits until it answers.
    pub fn start(version: Version, setup: &Setup) -> Self {
        let program = version.program().expect("this version is here");
        let mut command = program.command.clone();
        let dictionaries = program.dictionaries.clone().into_os_string();
        let options = ["-n", "radiusd", "-f", "-D"].map(OsString::from);
        command.extend(options);
        command.extend([dictionaries, "-d".into()]);
        let (supervisor, directory) = Supervisor::start(&command);
        let gates = setup
            .write(&directory)
            .expect("the configuration can be written");
        let growth = Growth::of([&directory.join(LOG), &directory.join(PUSHES)])
            .expect("files can be watched");
        let mut server = Self {
            version,
            address: SocketAddr::new(setup.address, 0),
            secret: setup.secret.clone(),
            directory,
            gates,
            growth,
            supervisor: Mutex::new(supervisor),
        };
        // Another process may take the port that was free a moment ago.
        let started = (0..8).any(|_| {
            let port = setup.port.unwrap_or_else(|| free_port(setup.address));
            server.address.set_port(port);
            setup
                .write_instance(&server.directory, (version, program), port)
                .expect("the configuration can be written");
            server.launch()
        });
        assert!(started, "no port is free:\n{}", server.log());
        server
    }

    /// The version that it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The secret that it shares with its clients.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Stops the server at once, as a crash would, with the pushes that run.
    pub fn stop(&self) {
        self.supervisor().stop();
    }

    /// Starts the server again, at its address, and waits until it answers.
    ///
    /// It knows nothing of what was asked before: no State, no answers for those who ask again.
    pub fn start_again(&self) {
        assert!(self.launch(), "the port was taken:\n{}", self.log());
    }

    /// All that it has said, over all its starts.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// How many lines of the log hold this text.
    pub fn logged(&self, text: &str) -> usize {
        let log = self.log();
        log.lines().filter(|line| line.contains(text)).count()
    }

    /// How many logins of a user were let in. One who has the answer is counted.
    pub fn accepted(&self, user: &str) -> usize {
        self.logins("Login OK", user)
    }

    /// How many logins of a user were rejected. One who has the answer is counted.
    pub fn rejected(&self, user: &str) -> usize {
        self.logins("Login incorrect", user)
    }

    /// How many pushes went to a user's phone, answered or not.
    pub fn pushes(&self, user: &str) -> usize {
        let pushes = fs::read_to_string(self.directory.join(PUSHES)).unwrap_or_default();
        pushes.lines().filter(|line| *line == user).count()
    }

    /// Waits until so many pushes went to a user's phone. Blocks the thread.
    #[track_caller]
    pub fn wait_for_pushes(&self, user: &str, count: usize) {
        self.wait_for(&format!("{count} pushes to {user}"), |server| {
            server.pushes(user) >= count
        });
    }

    /// Waits until something can be seen in the log or of the pushes. Blocks the thread.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let came = self.growth.wait_until(|| is_there(self));
        assert!(came, "waited in vain for {what}:\n{}", self.log());
    }

    /// Lets one push to a user who holds them be accepted: one that waits, or else the next.
    pub fn release(&self, user: &str) {
        let gate = self.gates.iter().find(|(name, _)| name == user);
        let (_, gate) = gate.expect("this user holds pushes");
        let mut gate: &File = gate;
        gate.write_all(b"\n").expect("there is room for a line");
    }

    fn logins(&self, how: &str, user: &str) -> usize {
        let user = format!(": [{user}] (from client ");
        let log = self.log();
        let is_of_user = |line: &&str| line.contains(how) && line.contains(&user);
        log.lines().filter(is_of_user).count()
    }

    /// Starts the server and waits until it answers; false when its port is taken.
    fn launch(&self) -> bool {
        let before = self.log().len();
        self.supervisor().launch();
        let since = |server: &Self, text: &str| {
            let log = server.log();
            log.get(before..).is_some_and(|log| log.contains(text))
        };
        let ready = "Ready to process requests";
        let taken = "Address already in use";
        self.wait_for("the start of the server", |server| {
            since(server, ready) || since(server, taken)
        });
        since(self, ready)
    }

    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        let supervisor = self.supervisor.lock();
        supervisor.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port that nobody has.
///
/// From below those that the system gives to who asks for any: nobody takes it while the server
/// is stopped.
pub fn free_port(address: IpAddr) -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static NEXT_ONE: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin far from one another.
    let start = std::process::id().wrapping_mul(211);
    (0..COUNT)
        .map(|_| start.wrapping_add(NEXT_ONE.fetch_add(1, Ordering::Relaxed)))
        .filter_map(|n| u16::try_from(FIRST + n % COUNT).ok())
        .find(|port| UdpSocket::bind((address, *port)).is_ok())
        .expect("some port is free")
}
