//! What a link tells the store that opened it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::connection::Connection;

/// What is told of messages and of new connections.
pub trait Events: Send + Sync + 'static {
    /// A message came on the channel of this replica.
    fn message(&self, text: &str);

    /// Messages may have been lost, or the queues that they were about.
    fn messages_lost(&self);

    /// A connection is about to be used. An error says why it can't be.
    fn begin<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), String>>;

    /// The connection is in use from now on.
    fn connected(&self, connection: Arc<Connection>);
}
