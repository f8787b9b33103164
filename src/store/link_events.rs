//! What the store does when the link has a message or a new connection.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};

use super::{
    durability::Recovery,
    link::{Connection, Events},
    waiting::Waiters,
};

/// Tells the waiters, and has a new connection look whether Redis has lost data.
pub struct LinkEvents {
    /// The requests that wait on this replica.
    pub waiters: Arc<Waiters>,
    /// Given if grants wait after a loss.
    pub recovery: Option<Arc<Recovery>>,
}

impl Events for LinkEvents {
    fn message(&self, text: &str) {
        self.waiters.message(text);
    }

    fn messages_lost(&self) {
        self.waiters.call_all();
    }

    fn begin<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), String>> {
        async move {
            match &self.recovery {
                Some(recovery) => recovery.begin(connection).await,
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn connected(&self, connection: Arc<Connection>) {
        if let Some(recovery) = self.recovery.clone() {
            tokio::spawn(async move { recovery.settle_slots(&connection).await });
        }
    }
}
