//! The only client of this crate that writes to a socket itself, in HTTP/1.1 or in lines. It keeps its connection, and
//! sends exactly the same bytes in each run. It does little, so that it costs little beside what it measures.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(2048) })
    }

    pub async fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.send(method, path, "", body).await?;
        self.answer().await
    }

    /// Sends a request in one write. Headers are whole lines. The bytes don't contain the port, which differs in each
    /// run.
    pub async fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Result<()> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}");
        if !body.is_empty() {
            request += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body;
        self.write(&request).await
    }

    /// Sends a text as it is. The answer is a line, to which this gives the status of HTTP for success.
    pub async fn ask_line(&mut self, text: &str) -> Result<Answer> {
        self.write(text).await?;
        self.answer_that_is(|bytes| {
            let body = String::from_utf8_lossy(bytes).into_owned();
            Ok(body.ends_with('\n').then_some(Answer { status: 200, body }))
        })
        .await
    }

    pub async fn answer(&mut self) -> Result<Answer> {
        self.answer_that_is(whole).await
    }

    async fn write(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await.context("can't send a request")
    }

    async fn answer_that_is(&mut self, whole: fn(&[u8]) -> Result<Option<Answer>>) -> Result<Answer> {
        self.received.clear();
        loop {
            let read = self.stream.read_buf(&mut self.received).await;
            ensure!(read.context("a connection broke")? > 0, "the server closed a connection");
            if let Some(answer) = whole(&self.received)? {
                return Ok(answer);
            }
        }
    }
}

impl Answer {
    /// The word that follows a text in the body, up to the next quotation mark or space.
    pub fn word_after(&self, before: &str) -> Option<&str> {
        self.body.split_once(before)?.1.split(['"', ' ', '\n']).next()
    }
}

/// The answer, if these bytes are a whole answer. It ends where its length says, or has a status without a body.
fn whole(bytes: &[u8]) -> Result<Option<Answer>> {
    let text = String::from_utf8_lossy(bytes);
    let mut headers = [EMPTY_HEADER; 32];
    let mut head = Response::new(&mut headers);
    let parsed = head.parse(bytes).with_context(|| format!("an answer is not HTTP: {text}"))?;
    let (Status::Complete(start), Some(status)) = (parsed, head.code) else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some(length) => str::from_utf8(length.value)?.parse()?,
        None if [204, 304].contains(&status) => 0,
        None => bail!("an answer has no length: {text}"),
    };
    ensure!(bytes.len() <= start + length, "more than one answer came: {text}");
    let body = String::from_utf8_lossy(&bytes[start..]).into_owned();
    Ok((bytes.len() == start + length).then_some(Answer { status, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says_or_is_an_error() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..text.len() {
            assert!(whole(&text.as_bytes()[..end]).expect("HTTP").is_none(), "{end}");
        }
        for (text, expected) in [(text, (200, "{}")), ("HTTP/1.1 204 No Content\r\n\r\n", (204, ""))] {
            let answer = whole(text.as_bytes()).expect("HTTP").expect("whole");
            assert_eq!((answer.status, &*answer.body), expected);
            whole(format!("{text}HTTP/1.1").as_bytes()).expect_err("there is more");
        }
        whole(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").expect_err("it has no length");
        whole(b"+OK this is Redis\r\n\r\n").expect_err("it is not HTTP");
    }
}
