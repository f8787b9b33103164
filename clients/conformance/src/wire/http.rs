//! HTTP/1.1 on a socket, by hand: a server that follows a script answers halves, resets and nothing at all.

use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// More than any request or answer of these tests has.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_HEADERS: usize = 64;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The names are in lower case.
    pub headers: Vec<(String, String)>,
    /// Null if there is none, or if it is not JSON.
    pub body: Value,
    /// All bytes, to pass them on.
    pub raw: Vec<u8>,
}

impl Request {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(present, _)| present == name).map(|(_, value)| &**value)
    }
}

/// The answer of a real server, as it came.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub raw: Vec<u8>,
    /// The answer has no end that could be awaited: it is a stream of events.
    pub is_stream: bool,
}

/// A connection of a client.
pub struct Connection {
    stream: TcpStream,
    /// What has come and was not taken yet.
    buffer: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::new() }
    }

    /// The next request; None if the client has closed the connection.
    pub async fn request(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some((head, length, request)) = parse_request(&self.buffer)? {
                while self.buffer.len() < head + length {
                    if self.fill().await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                let raw: Vec<u8> = self.buffer.drain(..head + length).collect();
                let body = raw.get(head..).and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
                return Ok(Some(Request { body, raw, ..request }));
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Completes when the client has closed the connection. No client of these tests sends a request before it has the
    /// answer to the one before.
    pub async fn closed(&mut self) {
        while matches!(self.fill().await, Ok(length) if length > 0) {}
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Closes the connection with RST: what was sent and not read yet is gone.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    async fn fill(&mut self) -> io::Result<usize> {
        fill(&mut self.stream, &mut self.buffer).await
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    if buffer.len() > MOST_BYTES {
        return Err(invalid("too long"));
    }
    stream.read_buf(buffer).await
}

/// Reads the answer of a server, up to its end or, of a stream, up to the end of its head.
pub async fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut raw = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(head) = answer.parse(&raw).map_err(invalid)? {
            let status = answer.code.unwrap_or_default();
            let headers = owned(answer.headers);
            let has_end = status == 204 || headers.iter().any(|(name, _)| name == "content-length");
            let length = if status == 204 { 0 } else { length(&headers)? };
            while has_end && raw.len() < head + length {
                if fill(stream, &mut raw).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            let body = raw.get(head..).and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
            return Ok(Answer { status, body, raw, is_stream: !has_end });
        }
        if fill(stream, &mut raw).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The lengths of head and body, and the request without its body; None if the head is not whole yet.
fn parse_request(bytes: &[u8]) -> io::Result<Option<(usize, usize, Request)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(bytes).map_err(invalid)? else { return Ok(None) };
    let (method, target) = (request.method.unwrap_or_default().into(), request.path.unwrap_or_default().into());
    let headers = owned(request.headers);
    if headers.iter().any(|(name, _)| name == "transfer-encoding") {
        return Err(invalid("the runner reads no chunked requests"));
    }
    let length = length(&headers)?;
    Ok(Some((head, length, Request { method, target, headers, body: Value::Null, raw: Vec::new() })))
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect()
}

fn length(headers: &[(String, String)]) -> io::Result<usize> {
    let length = headers.iter().find(|(name, _)| name == "content-length");
    length.map_or(Ok(0), |(_, value)| value.trim().parse().map_err(invalid))
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
