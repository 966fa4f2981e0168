//! Sockets of one endpoint, and tasks that end with what they serve.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// A socket that sends to one server and receives from it alone: the kernel drops what comes from
/// elsewhere, and tells when nobody listens there.
pub(super) fn connect(
    server: SocketAddr,
    source: Option<IpAddr>,
    receive_buffer: usize,
) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(server),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    // The system may allow less, which then has to do.
    let _ = socket.set_recv_buffer_size(receive_buffer);
    let any = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::new(source.unwrap_or(any), 0).into())?;
    socket.connect(&server.into())?;
    UdpSocket::from_std(socket.into())
}

/// Whether an error says that nobody listens, or that there is no way there. It is about something
/// sent before, and some systems report it for a reset connection.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
    ]
    .contains(&error.kind())
}

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Background(AbortHandle);

impl Background {
    /// Runs it, in the runtime that this is called in.
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
