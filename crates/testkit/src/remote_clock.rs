//! The clock of another process.
//!
//! A test listens; the program under test connects, named the address by [`VARIABLE`], and sets its
//! clock to each line that it is sent: the time on the wall and the time that passed, in
//! microseconds. It answers each with a line, so that the test knows when the clock is set.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use vestibule_engine::Timestamp;

use crate::clock::{FakeClock, Hands};

/// The variable that names the address of the test.
pub const VARIABLE: &str = "TESTKIT_CLOCK";

/// The end of the test.
#[derive(Debug)]
pub struct RemoteClock(BufReader<TcpStream>);

/// Where a program may ask for the time.
#[derive(Debug)]
pub struct Waiting(TcpListener);

impl Waiting {
    /// Waits on a free port of the loopback.
    ///
    /// # Errors
    /// When there is none.
    pub fn new() -> io::Result<Self> {
        Ok(Self(TcpListener::bind(("127.0.0.1", 0))?))
    }

    /// What [`VARIABLE`] must be.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits for the program, and sets its clock for the first time.
    ///
    /// # Errors
    /// When the connection breaks, or the program ends without asking.
    pub fn accept(self, hands: Hands, program: &mut Child) -> io::Result<RemoteClock> {
        self.0.set_nonblocking(true)?;
        let stream = loop {
            match self.0.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(status) = program.try_wait()? {
                        return Err(io::Error::other(format!("it ended: {status}")));
                    }
                    std::thread::yield_now();
                }
                Err(error) => return Err(error),
            }
        };
        stream.set_nonblocking(false)?;
        let mut clock = RemoteClock(BufReader::new(stream));
        clock.set(hands)?;
        Ok(clock)
    }
}

impl RemoteClock {
    /// Sets the clock of the program, and waits until it is set.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn set(&mut self, hands: Hands) -> io::Result<()> {
        let (wall, elapsed) = (hands.wall.as_micros(), hands.elapsed.as_micros());
        self.0
            .get_mut()
            .write_all(format!("{wall} {elapsed}\n").as_bytes())?;
        self.0.read_line(&mut String::new()).map(|_| ())
    }
}

/// The end of the program: a clock that is set already, and goes on being set.
///
/// # Errors
/// When nobody waits at the address, or what is sent is no time.
pub fn connect(address: &str) -> io::Result<Arc<FakeClock>> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    let clock = Arc::new(FakeClock::default());
    follow(&mut stream, &clock)?;
    let followed = Arc::clone(&clock);
    std::thread::spawn(move || while let Ok(true) = follow(&mut stream, &followed) {});
    Ok(clock)
}

/// Takes one setting; whether there was one.
fn follow(stream: &mut BufReader<TcpStream>, clock: &FakeClock) -> io::Result<bool> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(false);
    }
    let hands = parse(&line).ok_or_else(|| io::Error::other("no time"))?;
    clock.set(hands);
    stream.get_mut().write_all(b"set\n")?;
    Ok(true)
}

fn parse(line: &str) -> Option<Hands> {
    let (wall, elapsed) = line.trim().split_once(' ')?;
    Some(Hands {
        wall: Timestamp::from_micros(wall.parse().ok()?),
        elapsed: Duration::from_micros(elapsed.parse().ok()?),
    })
}
