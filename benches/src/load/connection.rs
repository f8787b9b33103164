//! One connection and its dialogue.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use super::{Dialogue, Framing};

/// Room for an answer; more is made where one is longer.
const ROOM: usize = 2048;

pub struct Connection {
    stream: TcpStream,
    framing: Framing,
    dialogue: Box<dyn Dialogue>,
    request: Vec<u8>,
    /// What was read of an answer.
    received: Vec<u8>,
    filled: usize,
    /// When the cycle under way was due.
    due: Option<Instant>,
    is_first: bool,
}

/// An answer was taken.
pub struct Step {
    /// How long it took, if with it the first thing wanted of a cycle is done.
    pub first: Option<Duration>,
    /// Whether the cycle has ended.
    pub is_last: bool,
}

impl Connection {
    pub fn open(address: SocketAddr, framing: Framing, dialogue: Box<dyn Dialogue>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (request, received) = (Vec::new(), vec![0; ROOM]);
        Ok(Self { stream, framing, dialogue, request, received, filled: 0, due: None, is_first: false })
    }

    pub fn is_idle(&self) -> bool {
        self.due.is_none()
    }

    /// Begins a cycle that was due then.
    pub fn begin(&mut self, due: Instant) -> Result<(), String> {
        (self.due, self.is_first) = (Some(due), true);
        self.dialogue.begin(&mut self.request);
        self.send()
    }

    /// Reads, and goes on if that ended an answer.
    pub fn receive(&mut self) -> Result<Option<Step>, String> {
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(length) => self.filled += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(format!("a connection broke: {error}")),
        }
        let Some((answer, length)) = self.framing.answer(&self.received[..self.filled])? else {
            if self.filled == self.received.len() {
                self.received.resize(self.filled * 2, 0);
            }
            return Ok(None);
        };
        if length < self.filled {
            return Err("an answer came that nothing was asked for".into());
        }
        let due = self.due.ok_or("an answer came that nothing was asked for")?;
        let took = due.elapsed();
        let is_done = self.dialogue.go_on(&answer, &mut self.request)?;
        let first = (self.is_first && is_done).then_some(took);
        self.is_first &= !is_done;
        self.filled = 0;
        let is_last = self.request.is_empty();
        match is_last {
            true => self.due = None,
            false => self.send()?,
        }
        Ok(Some(Step { first, is_last }))
    }

    /// At most one request is on its way, so the socket has room for the whole.
    fn send(&mut self) -> Result<(), String> {
        let sent = self.stream.write(&self.request).map_err(|error| format!("a request can't be sent: {error}"))?;
        if sent < self.request.len() {
            return Err(format!("only {sent} bytes of a request could be sent"));
        }
        self.request.clear();
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
