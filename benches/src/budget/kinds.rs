//! The kinds of requests that have a budget, and how each is made.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::wire::{Answer, Connection};

/// A request with a budget.
pub struct Kind {
    /// As the budget has it.
    pub name: &'static str,
    /// Makes the request once. Numbers count up from 0 and stand in names and keys; each step relies on the kinds before
    /// it having been made with the same number.
    pub step: fn(&mut Client, usize) -> io::Result<()>,
}

/// In the order in which they are measured.
pub const KINDS: [Kind; 8] = [
    // 200: a lock that nobody holds.
    Kind { name: "acquire", step: |client, number| client.acquire(number, "") },
    // 409: the same lock again.
    Kind { name: "refused", step: |client, number| client.refused(number) },
    // 200: by the token in the path.
    Kind { name: "status", step: |client, number| client.status(number) },
    // 200: with a new token.
    Kind { name: "extend", step: |client, number| client.extend(number) },
    // 204.
    Kind { name: "release", step: |client, number| client.release(number, "") },
    // The same with an Idempotency-Key, of which a record is kept.
    Kind { name: "acquire_with_key", step: |client, number| client.acquire(number, &key("acquire", number)) },
    Kind { name: "release_with_key", step: |client, number| client.release(number, &key("release", number)) },
    // Two requests: a release, and the acquire that waited for it.
    Kind { name: "handover", step: |client, number| client.handover(number) },
];

/// Who makes the requests.
pub struct Client {
    replica: String,
    /// All requests go over the first; a second one is opened to wait.
    connections: Vec<Connection>,
    redis: BufReader<TcpStream>,
    /// Of the locks that are held, by number.
    tokens: Vec<String>,
    /// Of the lock that is handed over.
    handed: String,
}

impl Client {
    /// A client of a replica, that may look into its Redis.
    pub fn of(replica: &str, redis_port: u16) -> io::Result<Self> {
        let redis = TcpStream::connect(("127.0.0.1", redis_port))?;
        Ok(Self {
            replica: replica.into(),
            connections: vec![Connection::open(replica)?],
            redis: BufReader::new(redis),
            tokens: vec![],
            handed: String::new(),
        })
    }

    fn acquire(&mut self, number: usize, headers: &str) -> io::Result<()> {
        let body = r#"{"owner":"worker-7","timeout":3600}"#;
        let token = token(&self.ask("POST", &path(number), headers, Some(body), 200)?)?;
        // Each lock is taken twice: the second time, with a key, after it was released.
        match self.tokens.get_mut(number) {
            Some(known) => *known = token,
            None => self.tokens.push(token),
        }
        Ok(())
    }

    fn refused(&mut self, number: usize) -> io::Result<()> {
        self.ask("POST", &path(number), "", Some(r#"{"owner":"worker-8","timeout":3600}"#), 409).map(drop)
    }

    fn status(&mut self, number: usize) -> io::Result<()> {
        self.ask("GET", &self.held(number), "", None, 200).map(drop)
    }

    fn extend(&mut self, number: usize) -> io::Result<()> {
        self.tokens[number] = token(&self.ask("PUT", &self.held(number), "", Some(r#"{"timeout":7200}"#), 200)?)?;
        Ok(())
    }

    fn release(&mut self, number: usize, headers: &str) -> io::Result<()> {
        self.ask("DELETE", &self.held(number), headers, None, 204).map(drop)
    }

    /// The one connection holds the lock and the other waits for it, then the other way round.
    fn handover(&mut self, number: usize) -> io::Result<()> {
        let (holder, waiter) = (number % 2, (number + 1) % 2);
        let lock = "/api/v1/locks/handover";
        if number == 0 {
            // Not before: a replica closes connections that are idle for long.
            self.connections.push(Connection::open(&self.replica)?);
            self.handed = token(&self.ask("POST", lock, "", Some(r#"{"owner":"worker-7","timeout":3600}"#), 200)?)?;
        }
        let waits = r#"{"owner":"worker-7","timeout":3600,"wait":60}"#;
        self.connections[waiter].send("POST", lock, "", Some(waits))?;
        self.until_somebody_waits()?;
        self.connections[holder].send("DELETE", &format!("{lock}/{}", self.handed), "", None)?;
        expect(self.connections[holder].answer()?, 204)?;
        self.handed = token(&expect(self.connections[waiter].answer()?, 200)?)?;
        Ok(())
    }

    /// Looks into Redis: to ask the replica would cost it instructions.
    fn until_somebody_waits(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            self.redis.get_mut().write_all(b"ZCARD gorilla:{handover}:queue\r\n")?;
            let mut reply = String::new();
            self.redis.read_line(&mut reply)?;
            if reply == ":1\r\n" {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(io::Error::other(format!("nobody waits for the lock: Redis says {reply:?}")));
            }
        }
    }

    fn ask(&mut self, method: &str, path: &str, more: &str, body: Option<&str>, status: u16) -> io::Result<Answer> {
        self.connections[0].send(method, path, more, body)?;
        expect(self.connections[0].answer()?, status)
    }

    fn held(&self, number: usize) -> String {
        format!("{}/{}", path(number), self.tokens[number])
    }
}

/// All are of one length, so that all numbers cost the same.
fn path(number: usize) -> String {
    format!("/api/v1/locks/orders-{number:06}")
}

fn key(operation: &str, number: usize) -> String {
    format!("Idempotency-Key: {operation}-{number:06}\r\n")
}

/// A sequence that goes another way than planned measures something else.
fn expect(answer: Answer, status: u16) -> io::Result<Answer> {
    if answer.status == status {
        return Ok(answer);
    }
    Err(io::Error::other(format!("{status} was expected, and {answer:?} came")))
}

fn token(answer: &Answer) -> io::Result<String> {
    let lock: Value = serde_json::from_str(&answer.body)?;
    lock["token"].as_str().map(String::from).ok_or_else(|| io::Error::other(format!("no token is in {answer:?}")))
}
