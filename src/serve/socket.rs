//! The socket of a client. hyper reads and writes it. The code here notices what hyper does not look at: that a client
//! doesn't read its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf},
    time::{Sleep, sleep},
};

use super::client::Client;

/// A socket to read from and to write to.
pub struct Socket {
    client: Arc<Client>,
    input: OwnedReadHalf,
    /// How long a write may make no progress.
    write_timeout: Duration,
    /// Runs while a write makes no progress. Boxed, because few connections ever need it.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// The socket of a client, with what comes from it. A write that makes no progress for `write_timeout` fails.
    pub fn new(client: Arc<Client>, input: OwnedReadHalf, write_timeout: Duration) -> Self {
        Self { client, input, write_timeout, stalled: None }
    }

    fn write(
        &mut self,
        context: &mut Context,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.client.stream().poll_write_ready(context)?.is_ready() {
            match write(self.client.stream()) {
                // The socket was ready earlier and is not any more. tokio knows that now.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.stalled = None;
                    self.client.stall(false);
                    return Poll::Ready(written);
                }
            }
        }
        self.client.stall(true);
        let limit = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    /// After a read that does not fill the buffer, tokio knows without another read that nothing is left.
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_read(context, buffer)
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
        Poll::Ready(shutdown(self.client.stream(), Shutdown::Write).map_err(io::Error::from))
    }
}
