//! Just enough of HTTP/1.1 to cost little.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the replica accepts");
        stream.set_nodelay(true).expect("a socket that lives");
        Self { stream, buffer: Vec::with_capacity(1024) }
    }

    /// Sends a request without reading its answer.
    pub async fn send(&mut self, method: &str, path: &str, body: &str) {
        let length = body.len();
        let kind = "content-type: application/json";
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.stream.write_all(request.as_bytes()).await.expect("the replica reads");
    }

    /// The status and the body of the next answer.
    pub async fn answer(&mut self) -> (u16, Vec<u8>) {
        self.buffer.clear();
        loop {
            assert!(self.stream.read_buf(&mut self.buffer).await.expect("an answer") > 0, "the replica closed");
            let Some(head) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head]).expect("a head is ASCII");
            let length = text.split("content-length: ").nth(1).map_or(0, |rest| {
                rest.split("\r\n").next().and_then(|length| length.parse().ok()).expect("a length is a number")
            });
            if self.buffer.len() >= head + 4 + length {
                let status = text[9..12].parse().expect("a status is a number");
                return (status, self.buffer[head + 4..head + 4 + length].to_vec());
            }
        }
    }

    /// Waits for a lock that an acquire was sent for; its fence and its token.
    pub async fn granted(&mut self) -> (u64, String) {
        let (status, body) = self.answer().await;
        let lock: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(status, 200, "{lock}");
        (lock["fence"].as_u64().expect("a fence"), lock["token"].as_str().expect("a token").into())
    }
}
