//! HTTP/1.1 with as little work as can be: the one who measures sits on the cores of the one who
//! is measured.

use std::io;
use std::net::SocketAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fault::{Fault, OrFault as _, Result};

/// The newest version of the API.
const ACCEPT: &str = "application/vnd.appgate.peer-v23+json";

/// A request, written down in advance.
#[derive(Clone, Debug)]
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// A request without a body.
    pub(crate) fn get(path: &str, token: Option<&str>) -> Self {
        Self(format!("{}\r\n", head("GET", path, token)).into_bytes())
    }

    /// A request with a body.
    pub(crate) fn send(
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Self> {
        let body = serde_json::to_string(body).or_fault("a body cannot be written")?;
        let head = head(method, path, token);
        Ok(Self(
            format!(
                "{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        ))
    }

    /// A `POST`.
    pub(crate) fn post(path: &str, token: Option<&str>, body: &impl Serialize) -> Result<Self> {
        Self::send("POST", path, token, body)
    }
}

fn head(method: &str, path: &str, token: Option<&str>) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {ACCEPT}\r\n{token}")
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What a good answer says.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        if self.status != 200 {
            return Err(Fault::new(format!("not 200, but {self}")));
        }
        serde_json::from_slice(&self.body).or_fault("an answer cannot be read")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, body } = self;
        write!(f, "{status} {}", String::from_utf8_lossy(body))
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.stream.write_all(&request.0).await?;
        self.received.clear();
        loop {
            if let Some(answer) = answer(&self.received)? {
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The answer that was received, once all of it was. Nothing is sent before it is there, so that
/// nothing comes after it.
fn answer(received: &[u8]) -> io::Result<Option<Answer>> {
    const END: &[u8] = b"\r\n\r\n";
    let end = received.windows(END.len()).position(|four| four == END);
    let Some((head, rest)) = end.and_then(|end| received.split_at_checked(end)) else {
        return Ok(None);
    };
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let head = str::from_utf8(head).map_err(|_| invalid("a head is not ASCII"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| invalid("a head has no status"))?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let length = match length {
        Some(length) => length,
        None if status == 204 => 0,
        None => return Err(invalid("a body has no length")),
    };
    let body = rest.get(END.len()..END.len() + length);
    Ok(body.map(|body| Answer {
        status,
        body: body.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(received: &str, expected: Option<(u16, &str)>) {
        let answer = answer(received.as_bytes()).unwrap();
        let answer = answer.map(|answer| (answer.status, answer.body));
        assert_eq!(answer, expected.map(|(status, body)| (status, body.into())));
    }

    #[test]
    fn an_answer_is_read_when_it_is_all_there() {
        let whole = "HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 2\r\n\r\n{}";
        check(whole, Some((200, "{}")));
        for length in 0..whole.len() {
            check(&whole[..length], None);
        }
        check("HTTP/1.1 204 No Content\r\n\r\n", Some((204, "")));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for wrong in [
            "\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            assert!(answer(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_request_says_all() {
        let request = Request::post("/a", Some("t"), &serde_json::json!({})).unwrap();
        let text = String::from_utf8(request.0).unwrap();
        assert!(text.starts_with("POST /a HTTP/1.1\r\nhost: "), "{text}");
        assert!(text.contains("\r\nauthorization: Bearer t\r\n"), "{text}");
        assert!(text.ends_with("\r\ncontent-length: 2\r\n\r\n{}"), "{text}");
        let request = String::from_utf8(Request::get("/b", None).0).unwrap();
        assert!(request.ends_with("json\r\n\r\n"), "{request}");
    }
}
