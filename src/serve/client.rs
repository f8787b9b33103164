//! The client at the other end of a connection: what a replica knows of it, and when the replica gives it up.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use rustix::{
    io::ioctl_fionread,
    net::{Shutdown, shutdown},
};
use tokio::{
    io::Interest,
    net::{TcpStream, tcp::OwnedWriteHalf},
};

/// How many bytes a client may send behind a request that a replica serves for long. With more, the buffers of the
/// sockets would fill up, and the end of the input would not reach this machine.
const MOST_BEHIND: u64 = 64 * 1024;

/// The client at the other end of a connection.
pub struct Client {
    /// The connection, of which `Socket` has the half to read from.
    output: OwnedWriteHalf,
    /// The looks at all clients so far, by which this client tells the time.
    looks: Arc<AtomicU32>,
    /// How many looks there were when a request began or ended, or when a part of an answer was written.
    changed: AtomicU32,
    /// Whether the replica serves a request.
    is_served: AtomicBool,
    /// Whether the client reads nothing of its answer. `Socket` gives it up in time.
    is_stalled: AtomicBool,
}

impl Client {
    /// A client that has connected.
    pub fn new(output: OwnedWriteHalf, looks: &Arc<AtomicU32>) -> Self {
        let changed = AtomicU32::new(looks.load(Relaxed));
        Self { output, looks: Arc::clone(looks), changed, is_served: false.into(), is_stalled: false.into() }
    }

    /// The connection.
    pub fn stream(&self) -> &TcpStream {
        self.output.as_ref()
    }

    /// The replica begins to serve a request, or has an answer to it.
    pub fn serve(&self, is_served: bool) {
        self.is_served.store(is_served, Relaxed);
        self.change();
    }

    /// The client can't be written to, or a part of the answer was written.
    pub fn stall(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Relaxed);
        self.change();
    }

    /// Waits until the client has hung up: it said that it will send no more (FIN), or reset the connection (RST).
    ///
    /// Bytes that nobody has read yet don't hide the end. hyper could look for it by reading; but once it has bytes
    /// behind a request, it doesn't read until that request is answered. The kernel reports the end in spite of such
    /// bytes.
    pub async fn gone(&self) {
        // The socket does not ask for data out of band, so this interest reports only the end of the input. An error
        // means that the runtime ends.
        let _ = self.stream().ready(Interest::PRIORITY).await;
    }

    /// Ends the connection if no head of a request has arrived for `idle` looks.
    ///
    /// A client that sends more than [`MOST_BEHIND`] bytes behind a request that is served for more than `long` looks
    /// counts as gone, because the replica could not notice its end.
    pub fn look(&self, idle: u32, long: u32) {
        // A part of the time to the first look was over when the client changed.
        let whole = self.looks.load(Relaxed).wrapping_sub(self.changed.load(Relaxed)).saturating_sub(1);
        let is_over = match self.is_served.load(Relaxed) {
            true => {
                let is_due = whole > 0 && whole.is_multiple_of(long);
                is_due && ioctl_fionread(self.stream()).is_ok_and(|unread| unread > MOST_BEHIND)
            }
            false => whole >= idle && !self.is_stalled.load(Relaxed),
        };
        if is_over {
            // hyper then finds the end of the input, and drops the connection. Only a dead socket refuses.
            let _ = shutdown(self.stream(), Shutdown::Both);
        }
    }

    fn change(&self) {
        self.changed.store(self.looks.load(Relaxed), Relaxed);
    }
}
