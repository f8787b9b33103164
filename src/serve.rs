//! A replica from its start to its end: listen, serve, drain.

mod client;
mod gauges;
mod handshakes;
mod metrics_listener;
mod patrol;
mod signals;
mod socket;
mod streaming;
mod tls;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{body::Body, http::Request};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until, timeout_at},
};
use tracing::{info, warn};

use crate::{
    access::Current,
    api::{Api, Connection},
    audit::Audit,
    metrics::{Metrics, Page},
    reload::Reloads,
    service::{Service, begin_to_tell},
    settings::Settings,
    store::Store,
};
use client::Client;
use gauges::Gauges;
use handshakes::{Handshake, Handshakes};
use patrol::Patrol;
pub use signals::outlive_others;
use signals::{End, Ends};
use socket::Socket;
use streaming::ClientGone;
pub use tls::Certificate;

/// The longest head of a request, in bytes, and the highest number of headers.
const LONGEST_HEAD: usize = 32 * 1024;
const MOST_HEADERS: usize = 100;
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
    certificate: Option<watch::Receiver<Arc<Certificate>>>,
    settings: Arc<Settings>,
    access: Option<Arc<Current>>,
    audit: Option<Arc<Audit>>,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    started: SystemTime,
    ends: Ends,
}

impl Replica {
    /// Begins to connect to Redis and to listen for signals. `access` says what API keys allow, if the settings name an
    /// access file. An error is a sentence.
    pub fn start(
        listener: TcpListener,
        settings: Settings,
        access: Option<Arc<Current>>,
        reloads: &Reloads,
    ) -> Result<Self, String> {
        raise_file_limit();
        let files = settings.server.tls.as_ref().map(Certificate::in_files);
        let certificate = files.map(|files| files.follow(reloads.times())).transpose()?;
        let settings = Arc::new(settings);
        if let Some(access) = &access {
            tokio::spawn(Arc::clone(access).follow(reloads.times()));
        }
        let metrics = Metrics::new();
        let audit = begin_audit(&settings, access.as_ref(), reloads, &metrics)?;
        let store = Store::open(&settings, &metrics);
        let ends = Ends::catch().map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        info!(%address, scheme, redis = %settings.redis.url, version = env!("CARGO_PKG_VERSION"), "serving");
        let started = SystemTime::now();
        Ok(Self { listener, certificate, settings, access, audit, store, metrics, started, ends })
    }

    /// The locks.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves until SIGTERM, SIGQUIT or SIGINT, then drains.
    pub async fn serve(self) {
        let Self { listener, certificate, settings, access, audit, store, metrics, started, mut ends } = self;
        let service = Service::new(Arc::clone(&store), access.clone(), audit.clone(), Arc::clone(&metrics), &settings);
        let gauges = Gauges {
            store: Arc::clone(&store),
            service: Arc::clone(&service),
            access: access.clone(),
            certificate: certificate.clone(),
            started,
        };
        let page = Arc::new(Page::new(|registry| metrics.register(registry), gauges));
        // With an address of their own the metrics are nowhere else.
        let here = match settings.server.metrics_listen.0 {
            Some(address) => {
                metrics_listener::serve(address, page).await;
                None
            }
            None => Some(page),
        };
        let api = Api::new(&service, access, &metrics, here, &settings);
        let connections = Connections::new(api, certificate, &settings, &metrics);
        // A load balancer may send requests before it has checked the replica. The replica would refuse them for want
        // of a connection that it is about to open. So they wait in the queue of the kernel until the replica has tried
        // Redis.
        let serve = async {
            store.tried().await;
            begin_to_tell(&service);
            connections.accept_from(&listener).await;
        };
        let end = tokio::select! {
            () = serve => End::Patient,
            end = ends.next() => end,
        };
        let begun = Instant::now();
        service.drain();
        service.end_listening(if end == End::Patient { settings.server.drain_delay } else { Duration::ZERO });
        let draining = Arc::clone(&service);
        tokio::spawn(async move { draining.tell_end(false).await });
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
        service.dismiss_watchers();
        service.end_listening(Duration::ZERO);
        let finish = async {
            connections.finish().await;
            store.cancellations().finished().await;
            service.tell_end(true).await;
        };
        if timeout_at(begun + settings.server.drain_timeout, finish).await.is_err() {
            warn!(timeout = ?settings.server.drain_timeout, "requests were still in flight at the end of the drain");
        }
        if let Some(audit) = audit {
            audit.end().await;
        }
        info!("ended");
    }
}

/// Begins to write the audit file, if the settings name one. An error is a sentence.
fn begin_audit(
    settings: &Settings,
    access: Option<&Arc<Current>>,
    reloads: &Reloads,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Audit>>, String> {
    let Some(file) = &settings.audit.file else { return Ok(None) };
    let (on_failure, connections) = (settings.audit.on_failure, settings.server.max_connections);
    let audit = Audit::begin(file, on_failure, connections, reloads.times(), Arc::clone(metrics))?;
    if let Some(access) = access {
        let (mut generations, audit) = (access.subscribe(), Arc::clone(&audit));
        tokio::spawn(async move {
            // It fails only when nothing reloads the access file any more.
            while generations.changed().await.is_ok() {
                let generation = *generations.borrow_and_update();
                audit.reloaded(generation);
            }
        });
    }
    Ok(Some(audit))
}

/// The connections that a replica serves.
struct Connections {
    api: Arc<Api>,
    http: http1::Builder,
    patrol: Arc<Patrol>,
    write_timeout: Duration,
    all: GracefulShutdown,
    room: Arc<Semaphore>,
    tls: Option<Tls>,
}

/// What connections with TLS need.
struct Tls {
    certificate: watch::Receiver<Arc<Certificate>>,
    handshakes: Handshakes,
}

impl Connections {
    fn new(
        api: Api,
        certificate: Option<watch::Receiver<Arc<Certificate>>>,
        settings: &Settings,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let mut http = http1::Builder::new();
        http.max_buf_size(LONGEST_HEAD).max_headers(MOST_HEADERS);
        // While a request is served, `Client` notices when its client has gone. hyper would look for that by reading,
        // for which it would need another buffer, because the request still has the first.
        http.half_close(true);
        let patrol = Patrol::begin(settings.server.header_timeout);
        let max_connections = settings.server.max_connections;
        let room = Arc::new(Semaphore::new(max_connections));
        let write_timeout = settings.server.write_timeout;
        let tls = certificate.map(|certificate| {
            let handshakes = Handshakes::new(max_connections, Arc::clone(metrics));
            Tls { certificate, handshakes }
        });
        Self { api: Arc::new(api), http, patrol, write_timeout, all: GracefulShutdown::new(), room, tls }
    }

    /// Accepts connections as long as it is polled.
    async fn accept_from(&self, listener: &TcpListener) {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&self.room).acquire_owned().await {
            let of_handshake = match &self.tls {
                Some(tls) => Some(tls.handshakes.place().await),
                None => None,
            };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let handshake = of_handshake.zip(self.tls.as_ref()).map(|(place, tls)| {
                        let acceptor = tls.certificate.borrow().acceptor.clone();
                        tls.handshakes.begin(place, acceptor)
                    });
                    self.serve(stream, peer, handshake, place);
                }
                Err(error) => {
                    warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_DELAY).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr, handshake: Option<Handshake>, place: OwnedSemaphorePermit) {
        // Otherwise a small answer would wait for the acknowledgement of the answer before it. Only a dead socket
        // refuses.
        let _ = stream.set_nodelay(true);
        let (input, output) = stream.into_split();
        let client = self.patrol.watch(output);
        let socket = Socket::new(Arc::clone(&client), input, self.write_timeout);
        let serving =
            Serving { api: Arc::clone(&self.api), http: self.http.clone(), watcher: self.all.watcher(), peer };
        // Two tasks of their own, so that a plain connection takes no memory for TLS.
        match handshake {
            None => tokio::spawn(async move {
                serving.serve(client, socket).await;
                drop(place);
            }),
            Some(handshake) => tokio::spawn(async move {
                if let Some(stream) = handshake.done(&client, socket).await {
                    serving.serve(client, stream).await;
                }
                drop(place);
            }),
        };
    }

    /// Closes idle connections and waits for the others.
    async fn finish(self) {
        if let Some(tls) = &self.tls {
            tls.handshakes.end();
        }
        self.all.shutdown().await;
    }
}

/// What it takes to serve one connection.
struct Serving {
    api: Arc<Api>,
    http: http1::Builder,
    watcher: Watcher,
    peer: SocketAddr,
}

impl Serving {
    /// Serves the requests of a client, which come from `stream`.
    async fn serve(self, client: Arc<Client>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { api, http, watcher, peer } = self;
        let connection = Arc::new(Connection::from(peer));
        let service = service_fn(move |request: Request<Incoming>| {
            let (api, connection, client) = (Arc::clone(&api), Arc::clone(&connection), Arc::clone(&client));
            async move {
                client.serve(true);
                let answer = tokio::select! {
                    // If there is an answer, the client gets it, also after it said that it sends no more.
                    biased;
                    answer = api.answer(&connection, request.map(boxed)) => answer,
                    // Drops what the replica has begun for the client, which undoes it.
                    () = client.gone() => return Err(ClientGone),
                };
                Ok(streaming::served(answer, client))
            }
        });
        // A connection ends because its client wants so, by a time-out or by a malformed request. None matters here.
        let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
    }
}

/// A body as axum has it. One that is empty needs no box.
fn boxed(body: Incoming) -> Body {
    if body.is_end_stream() { Body::empty() } else { Body::new(body) }
}

/// Each connection is an open file; the soft limit is often 1,024.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%error, limit = limit.current, "could not raise the limit on open files");
    }
}
