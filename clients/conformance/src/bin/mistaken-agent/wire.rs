//! Mistakes on the wire: a server between the client and its server.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use uuid::Uuid;

use crate::Mistake;

/// A request, as it came.
struct Request {
    /// The first line and the headers, each with its end.
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let is = |line: &&String| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.head.iter().find(is)?.split_once(':').map(|(_, value)| value.trim())
    }

    fn set(&mut self, name: &str, value: &str) {
        self.head.retain(|line| !line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name)));
        let at = self.head.len() - 1;
        self.head.insert(at, format!("{name}: {value}\r\n"));
    }

    fn is(&self, method: &str) -> bool {
        self.head.first().is_some_and(|line| line.starts_with(method))
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head.concat().as_bytes(), &self.body].concat()
    }
}

/// Starts the server in the middle, and returns its address.
pub fn start(mistake: Mistake, server: &str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, server) = (listener.local_addr()?, server.to_string());
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = server.clone();
            thread::spawn(move || carry(mistake, client, &server));
        }
    });
    Ok(address)
}

/// Carries a connection until either end closes.
fn carry(mistake: Mistake, client: TcpStream, server: &str) -> io::Result<()> {
    let upstream = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (mut back_from, mut back_to) = (upstream.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut back_from, &mut back_to);
        // The client sees that the server has closed the connection.
        let _ = back_to.shutdown(std::net::Shutdown::Both);
    });
    let (mut reader, mut upstream) = (BufReader::new(client), upstream);
    while let Some(mut request) = read(&mut reader)? {
        match mistake {
            Mistake::KeyForEachCopy if request.header("idempotency-key").is_some() => {
                request.set("Idempotency-Key", &Uuid::new_v4().to_string());
            }
            Mistake::TokenInLog => {
                if let Some(token) = request.header("lock-token") {
                    eprintln!("sending the token {token}");
                }
            }
            Mistake::RenewalAfterRelease if request.is("DELETE") => late_renewal(&request, server.to_string()),
            _ => {}
        }
        upstream.write_all(&request.bytes())?;
    }
    match mistake {
        // The server is not told that the client has hung up, and nobody asks what became of the request.
        Mistake::CancelledAndKept => thread::sleep(Duration::from_secs(60)),
        _ => upstream.shutdown(std::net::Shutdown::Both)?,
    }
    Ok(())
}

/// Renews the lock after its release has been sent.
fn late_renewal(release: &Request, server: String) {
    let body = br#"{"timeout":2}"#.to_vec();
    let mut renewal = Request { head: release.head.clone(), body };
    if let Some(first) = renewal.head.first_mut() {
        *first = first.replacen("DELETE", "PUT", 1);
    }
    renewal.set("Idempotency-Key", &Uuid::new_v4().to_string());
    renewal.set("Content-Type", "application/json");
    renewal.set("Content-Length", &renewal.body.len().to_string());
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let mut upstream = TcpStream::connect(server)?;
        upstream.write_all(&renewal.bytes())?;
        upstream.read(&mut [0; 1024])
    });
}

fn read(client: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let is_last = line == "\r\n";
        head.push(line);
        if is_last {
            break;
        }
    }
    let mut request = Request { head, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    request.body = vec![0; length];
    client.read_exact(&mut request.body)?;
    Ok(Some(request))
}
