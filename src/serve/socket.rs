//! The socket of a client. hyper reads and writes it. The code here notices what hyper does not look at: that a client
//! has gone while a replica serves its request, and that a client doesn't read its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::io::ioctl_fionread;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep, timeout},
};

/// How many bytes a client may send behind a request that a replica serves for long. With more, the buffers of the
/// sockets would fill up, and the end of the input would not reach this machine.
const MOST_BEHIND: u64 = 64 * 1024;
/// How often Gorilla looks how many bytes there are.
const LOOK: Duration = Duration::from_secs(5);

/// A socket to read from and to write to.
pub struct Socket {
    stream: Arc<TcpStream>,
    /// How long a write may make no progress.
    write_timeout: Duration,
    /// Runs while a write makes no progress. Boxed, because few connections ever need it.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// The client at the other end of a socket.
#[derive(Clone)]
pub struct Client(Arc<TcpStream>);

impl Socket {
    /// The socket of an accepted connection. A write that makes no progress for `write_timeout` fails.
    pub fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        Self { stream: Arc::new(stream), write_timeout, stalled: None }
    }

    /// The client at the other end.
    pub fn client(&self) -> Client {
        Client(Arc::clone(&self.stream))
    }

    fn write(
        &mut self,
        context: &mut Context,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.stream.poll_write_ready(context)?.is_ready() {
            match write(&self.stream) {
                // The socket was ready earlier and is not any more. tokio knows that now.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.stalled = None;
                    return Poll::Ready(written);
                }
            }
        }
        let limit = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Client {
    /// Waits until the client has hung up: it said that it will send no more (FIN), or reset the connection (RST).
    ///
    /// Bytes that nobody has read yet don't hide the end. hyper looks for the end of the input by reading; but once it
    /// has bytes behind a request, it doesn't read until that request is answered. The kernel reports the end in spite
    /// of such bytes.
    ///
    /// A client that sends more than [`MOST_BEHIND`] bytes behind its request counts as gone after a while, because the
    /// replica could not notice its end.
    pub async fn gone(&self) {
        // The socket does not ask for data out of band, so this interest reports only the end of the input. An error
        // means that the runtime ends.
        while timeout(LOOK, self.0.ready(Interest::PRIORITY)).await.is_err() {
            if ioctl_fionread(&self.0).is_ok_and(|unread| unread > MOST_BEHIND) {
                return;
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        pieces: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Poll<io::Result<()>> {
        use rustix::net::{Shutdown, shutdown};
        Poll::Ready(shutdown(&self.stream, Shutdown::Write).map_err(io::Error::from))
    }
}
