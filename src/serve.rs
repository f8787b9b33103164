//! A replica from its start to its end: listen, serve, drain.

mod client;
mod gauges;
mod metrics_listener;
mod patrol;
mod signals;
mod socket;

use std::{
    error::Error,
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout_at},
};
use tracing::{info, warn};

use crate::{
    access::Current,
    api::Api,
    metrics::{Metrics, Page},
    service::Service,
    settings::Settings,
    store::Store,
};
use gauges::Gauges;
use patrol::Patrol;
pub use signals::outlive_others;
use signals::{End, Ends};
use socket::Socket;

/// The longest head of a request, in bytes, and the highest number of headers.
const LONGEST_HEAD: usize = 32 * 1024;
const MOST_HEADERS: usize = 100;
/// How often a replica looks whether the content of the access file has changed.
const ACCESS_FILE_WATCH: Duration = Duration::from_secs(5);
/// From an error of `accept` (too many open files, say) to the next attempt.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// Opens the address to serve on. An error is a sentence that says what to do.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{address} is in use by another process. Stop that process, or choose another address with --listen HOST:PORT."
        ),
        io::ErrorKind::PermissionDenied => {
            format!("{address} may not be used by this user. Choose a port above 1023 with --listen HOST:PORT.")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine. Choose another with --listen HOST:PORT.")
        }
        _ => format!("{address} can't be opened: {error}."),
    })
}

/// A replica that is connecting to Redis, and not accepting yet.
pub struct Replica {
    listener: TcpListener,
    settings: Arc<Settings>,
    access: Option<Arc<Current>>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    started: SystemTime,
    ends: Ends,
}

impl Replica {
    /// Begins to connect to Redis and to listen for signals.
    /// `access` says what API keys allow, if the settings name an access file.
    pub fn start(listener: TcpListener, settings: Settings, access: Option<Arc<Current>>) -> io::Result<Self> {
        raise_file_limit();
        let settings = Arc::new(settings);
        let metrics = Metrics::new();
        let store = Store::open(&settings, &metrics);
        let ends = Ends::catch()?;
        info!(address = %listener.local_addr()?, redis = %settings.redis.url, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(Self { listener, settings, access, store, metrics, started: SystemTime::now(), ends })
    }

    /// The locks.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves until SIGTERM, SIGQUIT or SIGINT, then drains.
    pub async fn serve(self) {
        let Self { listener, settings, access, store, metrics, started, mut ends } = self;
        if let Some(access) = &access {
            tokio::spawn(Arc::clone(access).watch_content(ACCESS_FILE_WATCH));
        }
        let service = Service::new(Arc::clone(&store), access.clone(), Arc::clone(&metrics), &settings.limits);
        let gauges =
            Gauges { store: Arc::clone(&store), service: Arc::clone(&service), access: access.clone(), started };
        let page = Arc::new(Page::new(&metrics, gauges));
        // With an address of their own the metrics are nowhere else.
        let here = match settings.server.metrics_listen.0 {
            Some(address) => {
                metrics_listener::serve(address, page).await;
                None
            }
            None => Some(page),
        };
        let connections = Connections::new(Api::new(&service, access, &metrics, here, &settings), &settings);
        // A load balancer may send requests before it has checked the replica. The replica would refuse them for want
        // of a connection that it is about to open. So they wait in the queue of the kernel until the replica has tried
        // Redis.
        let serve = async {
            store.tried().await;
            connections.accept_from(&listener).await;
        };
        let end = tokio::select! {
            () = serve => End::Patient,
            end = ends.next() => end,
        };
        let begun = Instant::now();
        service.drain();
        if end == End::Patient {
            info!(delay = ?settings.server.drain_delay, "draining: not ready any more, still serving");
            tokio::select! {
                () = connections.accept_from(&listener) => {}
                () = sleep_until(begun + settings.server.drain_delay) => {}
                () = ends.impatient() => {}
            }
        }
        drop(listener);
        info!("draining: finishing the requests in flight");
        // If these clients send their requests again, the load balancer sends them to another replica by now.
        store.dismiss_waiters();
        let finish = async {
            connections.finish().await;
            store.cancellations().finished().await;
        };
        if timeout_at(begun + settings.server.drain_timeout, finish).await.is_err() {
            warn!(timeout = ?settings.server.drain_timeout, "requests were still in flight at the end of the drain");
        }
        info!("ended");
    }
}

/// The reason why a replica drops a request: its client has gone.
#[derive(Debug)]
struct ClientGone;

impl fmt::Display for ClientGone {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the client has hung up")
    }
}

impl Error for ClientGone {}

/// The connections that a replica serves.
struct Connections {
    api: Arc<Api>,
    http: http1::Builder,
    patrol: Arc<Patrol>,
    write_timeout: Duration,
    all: GracefulShutdown,
    room: Arc<Semaphore>,
}

impl Connections {
    fn new(api: Api, settings: &Settings) -> Self {
        let mut http = http1::Builder::new();
        http.max_buf_size(LONGEST_HEAD).max_headers(MOST_HEADERS);
        let patrol = Patrol::begin(settings.server.header_timeout);
        let room = Arc::new(Semaphore::new(settings.server.max_connections));
        let write_timeout = settings.server.write_timeout;
        Self { api: Arc::new(api), http, patrol, write_timeout, all: GracefulShutdown::new(), room }
    }

    /// Accepts connections as long as it is polled.
    async fn accept_from(&self, listener: &TcpListener) {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&self.room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => self.serve(stream, peer, place),
                Err(error) => {
                    warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_DELAY).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        // Otherwise a small answer would wait for the acknowledgement of the answer before it. Only a dead socket
        // refuses.
        let _ = stream.set_nodelay(true);
        let api = Arc::clone(&self.api);
        let client = self.patrol.watch(stream);
        let socket = Socket::new(Arc::clone(&client), self.write_timeout);
        let service = service_fn(move |request: Request<Incoming>| {
            let (api, client) = (Arc::clone(&api), Arc::clone(&client));
            async move {
                client.serve(true);
                let answer = tokio::select! {
                    // If there is an answer, the client gets it, also after it said that it sends no more.
                    biased;
                    answer = api.answer(peer, request.map(Body::new)) => Ok(answer),
                    // Drops what the replica has begun for the client, which undoes it.
                    () = client.gone() => Err(ClientGone),
                };
                client.serve(false);
                answer
            }
        });
        let connection = self.all.watch(self.http.serve_connection(TokioIo::new(socket), service));
        tokio::spawn(async move {
            // A connection ends because its client wants so, by a time-out or by a malformed request. None matters
            // here.
            let _ = connection.await;
            drop(place);
        });
    }

    /// Closes idle connections and waits for the others.
    async fn finish(self) {
        self.all.shutdown().await;
    }
}

/// Each connection is an open file; the soft limit is often 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, limit = limit.current, "could not raise the limit on open files");
    }
}
