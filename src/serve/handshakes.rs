//! The handshakes of TLS: how many may be under way, how long each may last, and what becomes of a client that speaks
//! plain HTTP.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;

use super::{client::Client, socket::Socket};
use crate::metrics::{HandshakeFailed, Metrics};

/// How long a handshake may last.
const LONGEST: Duration = Duration::from_secs(5);
/// How many handshakes may be under way.
const MOST: usize = 1024;
/// How long a handshake may last at least, also if a new client needs its place. A client that is there needs a few
/// round trips; one that is not there must not keep others out for all of [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(500);
/// With this byte each connection with TLS begins: the type of the records of a handshake.
const HANDSHAKE: u8 = 22;
/// What a client is told that speaks plain HTTP to this port.
const NOT_HTTPS: &str = "{\"errorMessage\":\"This port serves HTTPS, and the request came as plain HTTP. Use an address \
    that begins with https://.\",\"code\":\"https_required\",\"outcome\":\"not_executed\"}";

/// The handshakes that are under way.
pub struct Handshakes {
    places: Arc<Semaphore>,
    /// From the oldest to the newest. Some have ended. What is dropped here gives its handshake up.
    under_way: Mutex<VecDeque<UnderWay>>,
    metrics: Arc<Metrics>,
}

struct UnderWay {
    begun: Instant,
    given_up: oneshot::Sender<()>,
}

/// A place for a handshake. It always has a permit: nothing closes the semaphore.
pub struct Place(#[expect(dead_code, reason = "it is taken as long as it lives")] Option<OwnedSemaphorePermit>);

/// A handshake that begins.
pub struct Handshake {
    acceptor: TlsAcceptor,
    given_up: oneshot::Receiver<()>,
    metrics: Arc<Metrics>,
    _place: Place,
}

impl Handshakes {
    /// For a replica that serves so many connections at once. Connections whose handshake never ends can take no more
    /// than half of them.
    pub fn new(max_connections: usize, metrics: Arc<Metrics>) -> Self {
        let places = Arc::new(Semaphore::new(MOST.min(max_connections / 2).max(1)));
        Self { places, under_way: Mutex::default(), metrics }
    }

    /// Waits for a place. If all are taken, the oldest handshake has to make room.
    pub async fn place(&self) -> Place {
        let mut place = pin!(Arc::clone(&self.places).acquire_owned());
        let oldest = self.oldest();
        let is_over = async {
            match oldest {
                Some(begun) => sleep_until(begun + SHORTEST).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            free = &mut place => return Place(free.ok()),
            () = is_over => drop(self.under_way().pop_front()),
        }
        Place(place.await.ok())
    }

    /// Begins a handshake with the certificate that is in force.
    pub fn begin(&self, place: Place, acceptor: TlsAcceptor) -> Handshake {
        let (sender, receiver) = oneshot::channel();
        self.oldest();
        self.under_way().push_back(UnderWay { begun: Instant::now(), given_up: sender });
        Handshake { acceptor, given_up: receiver, metrics: Arc::clone(&self.metrics), _place: place }
    }

    /// Gives all handshakes up.
    pub fn end(&self) {
        self.under_way().clear();
    }

    /// When the oldest handshake under way began.
    fn oldest(&self) -> Option<Instant> {
        let mut all = self.under_way();
        while all.front().is_some_and(|oldest| oldest.given_up.is_closed()) {
            all.pop_front();
        }
        all.front().map(|oldest| oldest.begun)
    }

    fn under_way(&self) -> MutexGuard<'_, VecDeque<UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake {
    /// Does the handshake. None if there is no connection with TLS in the end.
    pub async fn done(self, client: &Client, socket: Socket) -> Option<TlsStream<Socket>> {
        let Self { acceptor, given_up, metrics, _place } = self;
        let failed = |why: HandshakeFailed| metrics.handshakes.failed(why);
        let handshake = async {
            match speaks_plain_http(client).await? {
                true => refuse(socket).await.map(|()| None),
                false => acceptor.accept(socket).await.map(Some),
            }
        };
        tokio::select! {
            ended = timeout(LONGEST, handshake) => match ended {
                Ok(Ok(Some(stream))) => Some(stream),
                Ok(Ok(None)) => {
                    failed(HandshakeFailed::PlainHttp);
                    None
                }
                Ok(Err(error)) => {
                    failed(HandshakeFailed::Error);
                    debug!(%error, "a TLS handshake failed");
                    None
                }
                Err(_) => {
                    failed(HandshakeFailed::TimedOut);
                    debug!(error = "it took too long", "a TLS handshake failed");
                    None
                }
            },
            _ = given_up => {
                failed(HandshakeFailed::GivenUp);
                debug!(error = "others needed its place, or the replica ends", "a TLS handshake failed");
                None
            }
        }
    }
}

/// Waits for the first byte. With a letter begins the method of a request.
async fn speaks_plain_http(client: &Client) -> io::Result<bool> {
    let mut first = [HANDSHAKE];
    client.stream().peek(&mut first).await?;
    Ok(first[0].is_ascii_alphabetic())
}

/// Tells a client that it must speak TLS.
async fn refuse(mut socket: Socket) -> io::Result<()> {
    let (head, length) = ("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json", NOT_HTTPS.len());
    let answer = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{NOT_HTTPS}");
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await?;
    // If the socket were closed while bytes of the request are unread, the kernel would reset the connection, and the
    // client might not get the answer.
    let mut rest = [0; 1024];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}
