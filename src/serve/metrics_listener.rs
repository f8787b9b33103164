//! The metrics at an address of their own, for the inside: without a key, and without a way past a load balancer.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::sleep};
use tracing::{error, info};

use crate::metrics::{Format, Page};

/// Connections at once.
const MOST: usize = 64;
/// How long a connection may take for a head, or be idle.
const PATIENCE: Duration = Duration::from_secs(30);
/// From an error to the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// Serves the metrics as long as the process runs. A replica whose metrics can't be read still serves locks.
pub async fn serve(address: SocketAddr, page: Arc<Page>) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            error!(%address, %error, "the metrics are not served, because their address can't be opened");
            return;
        }
    };
    info!(address = %listener.local_addr().unwrap_or(address), "serving metrics");
    tokio::spawn(async move {
        let room = Arc::new(Semaphore::new(MOST));
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(RETRY).await;
                continue;
            };
            let page = Arc::clone(&page);
            let answer = service_fn(move |request: Request<Incoming>| {
                let answer = answer(&page, &request);
                async { Ok::<_, Infallible>(answer) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let connection = http.serve_connection(TokioIo::new(stream), answer);
            tokio::spawn(async move {
                // How the connection of somebody who reads metrics ends does not matter.
                let _ = connection.await;
                drop(place);
            });
        }
    });
}

fn answer(page: &Page, request: &Request<Incoming>) -> Response<Body> {
    let status = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            let format = Format::accepted(accept.unwrap_or_default());
            if let Ok(text) = page.text(format) {
                let mut response = Response::new(text.into());
                let kind = header::HeaderValue::from_static(format.content_type());
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                return response;
            }
            StatusCode::INTERNAL_SERVER_ERROR
        }
        (_, "/metrics") => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::NOT_FOUND,
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
