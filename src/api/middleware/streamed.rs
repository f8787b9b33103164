//! The line in the log of a stream: it comes when the stream ends, and tells how long that lasted.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::StatusCode,
    response::Response,
};

use hyper::body::Frame;

use super::access_log::{About, Entry};

/// The body of a stream, with the line that its end has logged.
struct Logged {
    body: Body,
    status: StatusCode,
    /// Until it is logged.
    line: Option<(Entry, About)>,
}

/// Has the request logged when its answer ends, or its client hangs up.
pub fn logged_at_end(response: Response, entry: Entry, about: About) -> Response {
    let status = response.status();
    response.map(|body| Body::new(Logged { body, status, line: Some((entry, about)) }))
}

impl Drop for Logged {
    fn drop(&mut self) {
        if let Some((entry, about)) = self.line.take() {
            let took = entry.took();
            entry.end(self.status, None, took, &about);
        }
    }
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }
}
