//! How an instance is set up, and the files that say so.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use super::users::{self, Behaviour, User, quoted};
use super::version::{Program, Version};

/// The secret that is shared with a server which was given none.
pub const SECRET: &str = "testing123-testing123-testing123";

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) secret: String,
    signs: bool,
    status_server: bool,
    max_servers: u16,
    users: Vec<User>,
}

impl Default for Setup {
    /// On 127.0.0.1, which is also where its clients are; it signs and tells of its status, and
    /// answers as many as ask at once.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: None,
            secret: SECRET.to_owned(),
            signs: true,
            status_server: true,
            max_servers: 64,
            users: users::standard(),
        }
    }
}

impl Setup {
    /// On another address of the loopback.
    pub fn on(self, address: impl Into<IpAddr>) -> Self {
        Self {
            address: address.into(),
            ..self
        }
    }

    /// On `::1`.
    pub fn on_ipv6(self) -> Self {
        self.on(Ipv6Addr::LOCALHOST)
    }

    /// On this port, instead of any that is free.
    pub fn with_port(self, port: u16) -> Self {
        Self {
            port: Some(port),
            ..self
        }
    }

    /// With another secret.
    pub fn with_secret(self, secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            ..self
        }
    }

    /// Without Message-Authenticator in answers, as 3.2.1 comes; 3.2.7 signs nevertheless.
    pub fn unsigned(self) -> Self {
        Self {
            signs: false,
            ..self
        }
    }

    /// Without an answer to Status-Server.
    pub fn without_status_server(self) -> Self {
        Self {
            status_server: false,
            ..self
        }
    }

    /// With so many requests at once, and a queue for all others.
    pub fn with_max_servers(self, max_servers: u16) -> Self {
        Self {
            max_servers,
            ..self
        }
    }

    /// With one more user.
    pub fn with_user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Writes what does not change while the server lives, and opens the pipes on which pushes are
    /// held.
    pub(super) fn write(&self, directory: &Path) -> io::Result<Vec<(String, File)>> {
        let write = |name: &str, text: &str| fs::write(directory.join(name), text);
        write("radiusd.conf", include_str!("radiusd.conf"))?;
        write("push.sh", include_str!("push.sh"))?;
        let signature = include_str!("signature.conf");
        write("signature.conf", if self.signs { signature } else { "" })?;
        let users: String = self.users.iter().map(User::entry).collect();
        write("users", &users)?;
        for name in ["dictionary", super::LOG, super::PUSHES] {
            write(name, "")?;
        }
        let held = |user: &&User| user.behaviour == Behaviour::Held;
        let names = self.users.iter().filter(held).map(|user| &user.name);
        names
            .map(|name| Ok((name.clone(), gate(&directory.join(format!("gate-{name}")))?)))
            .collect()
    }

    /// Writes what depends on the port.
    pub(super) fn write_instance(
        &self,
        directory: &Path,
        (version, program): (Version, &Program),
        port: u16,
    ) -> io::Result<()> {
        let yes_or_no = |yes| if yes { "yes" } else { "no" };
        let unsigned_requests = match version {
            Version::V3_2_1 => "no",
            // The first packet of a client decides.
            Version::V3_2_7 => "auto",
        };
        let instance = format!(
            "confdir = {}\n\
             libdir = {}\n\
             radius_address = {}\n\
             radius_port = {port}\n\
             radius_secret = {}\n\
             status_server = {}\n\
             require_message_authenticator = {unsigned_requests}\n\
             start_servers = {}\n\
             max_servers = {}\n",
            directory.display(),
            program.modules.display(),
            self.address,
            quoted(&self.secret),
            yes_or_no(self.status_server),
            self.max_servers.min(8),
            self.max_servers,
        );
        fs::write(directory.join("instance.conf"), instance)
    }
}

/// Makes a pipe with a name. It is open for reading as well: what is written stays until a push
/// reads it.
fn gate(path: &Path) -> io::Result<File> {
    let status = Command::new("mkfifo").arg(path).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("mkfifo: {status}")));
    }
    File::options().read(true).write(true).open(path)
}
