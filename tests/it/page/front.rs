//! What stands between the browser and replicas: a balancer, also between two versions of the page, and a stream of events
//! that the test writes.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{
    body::{Body, Bytes},
    http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, client, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::harness::Api;

/// Takes the requests of a browser and hands them to replicas.
pub struct Front {
    /// A client of the front.
    pub api: Api,
    streams: Option<Streams>,
}

/// The streams that are open, and the queries that opened all of them so far.
#[derive(Clone, Default)]
struct Streams {
    open: Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// Gives two versions of the page in turn, both made from that of the first replica, and lets the replicas answer
    /// everything else in turn, as a balancer does while replicas are replaced.
    pub async fn balancing(replicas: &[&Api]) -> Self {
        Self::between(replicas, None).await
    }

    /// Hands everything to a replica but the stream of events, which the test writes.
    pub async fn with_events(replica: &Api) -> Self {
        Self::between(&[replica], Some(Streams::default())).await
    }

    async fn between(replicas: &[&Api], streams: Option<Streams>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let api = Api::at(&listener.local_addr().expect("its address").to_string());
        let addresses: Arc<[String]> = replicas.iter().map(|api| api.address.clone()).collect();
        let (turn, pages) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (has_two, scripted) = (addresses.len() > 1, streams.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (turn, pages, addresses) = (Arc::clone(&turn), Arc::clone(&pages), Arc::clone(&addresses));
                let scripted = scripted.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let is_page = request.uri().path() == "/";
                    let which = if is_page { 0 } else { turn.fetch_add(1, Relaxed) };
                    let is_other = is_page && has_two && pages.fetch_add(1, Relaxed) % 2 == 1;
                    let address = addresses[which % addresses.len()].clone();
                    let scripted = scripted.clone().filter(|_| request.uri().path() == "/api/v1/events");
                    async move {
                        Ok::<_, Infallible>(match scripted {
                            Some(streams) => streams.begin(request.uri().query().unwrap_or_default()),
                            None if is_other => page_of_another_version(request, &address).await,
                            None => forward(request, &address).await,
                        })
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { api, streams }
    }

    fn streams(&self) -> &Streams {
        self.streams.as_ref().expect("a front with events")
    }

    /// Tells all open streams a message.
    pub fn tell(&self, data: &Value) {
        let id = data["cursor"].as_str().map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
        let message = format!("event: {}\n{id}data: {data}\n\n", data["type"].as_str().expect("a type"));
        self.streams().open.lock().expect("no panic").retain(|stream| stream.send(message.clone()).is_ok());
    }

    /// How many streams are open.
    pub fn open(&self) -> usize {
        let mut open = self.streams().open.lock().expect("no panic");
        open.retain(|stream| !stream.is_closed());
        open.len()
    }

    /// The queries of all streams so far.
    pub fn asked(&self) -> Vec<String> {
        self.streams().asked.lock().expect("no panic").clone()
    }
}

impl Streams {
    fn begin(&self, query: &str) -> Response<Body> {
        let (sender, mut receiver) = mpsc::unbounded_channel::<String>();
        self.asked.lock().expect("no panic").push(query.into());
        self.open.lock().expect("no panic").push(sender);
        let stream = futures_util::stream::poll_fn(move |context| {
            receiver.poll_recv(context).map(|message| message.map(|text| Ok::<_, Infallible>(Bytes::from(text))))
        });
        let response = Response::builder().header("Content-Type", "text/event-stream");
        response.body(Body::from_stream(stream)).expect("an answer")
    }
}

/// The page as another version has it: another program, with the policy that allows that one alone.
async fn page_of_another_version(mut request: Request<Incoming>, address: &str) -> Response<Body> {
    for header in [IF_NONE_MATCH, ACCEPT_ENCODING] {
        request.headers_mut().remove(header);
    }
    let (mut head, body) = forward(request, address).await.into_parts();
    let page = axum::body::to_bytes(body, usize::MAX).await.expect("the page");
    let page = String::from_utf8(page.to_vec()).expect("UTF-8");
    let (before, rest) = page.split_once("<script type=\"module\">").expect("a program");
    let (program, after) = rest.rsplit_once("</script>").expect("its end");
    let other = format!("{program}// Of another version.\n");
    let digest = |program: &str| STANDARD.encode(Sha256::digest(program));
    let policy = head.headers[CONTENT_SECURITY_POLICY].to_str().expect("a policy");
    let policy = policy.replace(&digest(program), &digest(&other)).parse().expect("a policy");
    let before = before.replacen(env!("CARGO_PKG_VERSION"), "0.1.9", 1);
    let page = format!("{before}<script type=\"module\">{other}</script>{after}");
    head.headers.insert(CONTENT_SECURITY_POLICY, policy);
    head.headers.insert(ETAG, "\"another\"".parse().expect("a tag"));
    head.headers.insert(CONTENT_LENGTH, page.len().into());
    Response::from_parts(head, page.into())
}

async fn forward(request: Request<Incoming>, address: &str) -> Response<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.expect("the replica listens"));
    let (mut sender, connection) = client::conn::http1::handshake(stream).await.expect("HTTP");
    tokio::spawn(connection);
    match sender.send_request(request).await {
        Ok(response) => response.map(|body| Body::new(body.map_err(axum::Error::new))),
        Err(_) => Response::builder().status(502).body(Body::empty()).expect("an answer"),
    }
}
