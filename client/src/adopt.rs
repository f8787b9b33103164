//! A request to keep the lock of a ticket.

use std::time::Duration;

use crate::{
    acquire::renew,
    asking::Asking,
    error::Error,
    guard::Guard,
    progress::{Progress, Report},
    ticket::Ticket,
};

/// A request to keep the lock of a ticket.
#[must_use = "nothing is asked for until `take` is awaited"]
pub struct Adoption {
    ticket: Ticket,
    asking: Asking,
}

impl Adoption {
    pub(crate) fn new(asking: Asking, ticket: Ticket) -> Self {
        Self { ticket, asking }
    }

    /// Sets the lease, as [`LockRequest::ttl`](crate::LockRequest::ttl) does. If it ends before the present lease, the
    /// server refuses it with `timeout_shorter`.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.asking.ttl = ttl;
        self
    }

    /// Sets the grace, as [`LockRequest::grace`](crate::LockRequest::grace) does.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.asking.grace = Some(grace);
        self
    }

    /// Calls `report` as [`LockRequest::on_progress`](crate::LockRequest::on_progress) does.
    pub fn on_progress(mut self, report: impl FnMut(Progress) + Send + 'static) -> Self {
        self.asking.report = Report::to(report);
        self
    }

    /// Renews the lock, and keeps it from then on.
    ///
    /// # Errors
    /// [`Error::Lost`] if the lock has ended, or has another token.
    pub async fn take(self) -> Result<Guard, Error> {
        let grace = self.asking.checked_grace()?;
        let Ticket { resource, token, .. } = &self.ticket;
        let (lock, lease) = renew(&self.asking, resource, token, self.asking.wire.give_up()).await?;
        let terms = self.asking.terms(grace);
        let Asking { wire, renewals, report, .. } = self.asking;
        Ok(Guard::new(wire, renewals, report, lock, lease, terms))
    }
}
