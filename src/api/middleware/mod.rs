//! What Gorilla does around every request, a file for each concern. `server` calls them in order: a layer of axum would
//! clone and box what is behind it for each request.

pub mod access;
pub mod access_log;
pub mod forwarded;
pub mod head;
pub mod host;
pub mod origin;
pub mod problem;
pub mod recorded;
pub mod request_id;
pub mod streamed;
