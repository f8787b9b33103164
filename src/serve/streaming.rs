//! Answers that last: while a replica tells a client what happens, it still serves the request of the client.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use hyper::body::Frame;

use super::client::Client;
use crate::api::Streaming;

/// The reason why a replica drops a request: its client has gone.
#[derive(Debug)]
pub struct ClientGone;

impl fmt::Display for ClientGone {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the client has hung up")
    }
}

impl Error for ClientGone {}

/// The body of a stream, which ends when the client has gone.
struct Served {
    body: Body,
    client: Arc<Client>,
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Notes that the replica has answered the request of a client, or that it will have when the stream ends.
pub fn served(answer: Response, client: Arc<Client>) -> Response {
    if answer.extensions().get::<Streaming>().is_none() {
        client.serve(false);
        return answer;
    }
    answer.map(|body| {
        let of_body = Arc::clone(&client);
        let gone = Box::pin(async move { of_body.gone().await });
        Body::new(Served { body, client, gone })
    })
}

impl Drop for Served {
    fn drop(&mut self) {
        self.client.serve(false);
    }
}

impl HttpBody for Served {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.gone.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(ClientGone))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }
}
