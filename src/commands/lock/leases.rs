//! The leases of the locks under which a command runs.

use futures_util::future::select_all;
use gorilla_client::{Guard, GuardSet, Lease, Moment, Token};
use tokio::sync::watch::Receiver;

/// The leases, in the order of the names.
pub struct Leases(Vec<Receiver<Lease>>);

impl Leases {
    pub fn of(set: &GuardSet) -> Self {
        Self(set.guards().iter().map(Guard::lease).collect())
    }

    /// Waits until a lease changes that was not looked at since. Returns whether it can change again.
    pub async fn changed(&mut self) -> bool {
        let changes = self.0.iter_mut().map(|lease| Box::pin(lease.changed()));
        select_all(changes).await.0.is_ok()
    }

    /// The lease that ends first. It is the one that counts: without it, the others are of no use.
    pub fn first_to_end(&mut self) -> Option<Lease> {
        let all = self.0.iter_mut().map(|lease| lease.borrow_and_update().clone());
        all.min_by_key(|lease| lease.ends)
    }

    /// When the first lease ends.
    pub fn end(&self) -> Option<Moment> {
        self.0.iter().map(|lease| lease.borrow().ends).min()
    }

    /// The current tokens.
    pub fn tokens(&self) -> Vec<Token> {
        self.0.iter().map(|lease| lease.borrow().token.clone()).collect()
    }
}
