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
    let_fragments_pass(&socket, server)?;
    socket.bind(&SocketAddr::new(source.unwrap_or(any), 0).into())?;
    socket.connect(&server.into())?;
    UdpSocket::from_std(socket.into())
}

/// Lets routers cut a datagram that is too long for a link, as RADIUS expects of them. The kernel
/// would otherwise refuse to send the next one that is as long.
#[cfg(target_os = "linux")]
fn let_fragments_pass(socket: &Socket, server: SocketAddr) -> io::Result<()> {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };

    match server {
        SocketAddr::V4(_) => set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DONT)?,
        SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DONT)?,
    }
    Ok(())
}

/// Other systems do so by themselves.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn let_fragments_pass(_: &Socket, _: SocketAddr) -> io::Result<()> {
    Ok(())
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover,
    };

    use super::*;

    #[tokio::test]
    async fn fragments_may_pass() {
        let v4 = connect(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), None, 4096).unwrap();
        assert_eq!(ip_mtu_discover(&v4).unwrap(), Ipv4PathMtuDiscovery::DONT);
        let v6 = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        let server = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
        let_fragments_pass(&v6, server).unwrap();
        assert_eq!(ipv6_mtu_discover(&v6).unwrap(), Ipv6PathMtuDiscovery::DONT);
    }
}
