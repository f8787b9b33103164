//! The next claim of a waiter, which a release through this replica may take along: `lua/handover.lua`.

use std::sync::Arc;

use gorilla_scripts::{AcquireReply, Claim};
use tokio::{sync::oneshot, time::Instant};

use crate::store::{bid::Bid, error::Error, link};

/// What a waiter in the queue asks Redis next.
#[derive(Clone)]
pub struct NextClaim {
    /// What the attempt tells Redis.
    pub bid: Arc<Bid>,
    /// When the attempt joined the queue, in microseconds since 1970.
    pub arrived: u64,
    /// Until when the waiter waits.
    pub deadline: Instant,
}

impl NextClaim {
    /// The call, for the replica with this channel.
    pub fn call<'a>(&'a self, channel: &'a str) -> Claim<'a> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Claim { asked: self.bid.call(channel, left), arrived: Some(self.arrived) }
    }
}

/// What became of a claim that a release took along; none if it took it along to no end, and the waiter asks by itself.
pub type Told = Option<Result<AcquireReply, Error>>;

/// The claim of a waiter that takes no other step until it is told what became of the claim.
pub struct Offer {
    claim: NextClaim,
    told: Option<oneshot::Sender<Told>>,
}

impl Offer {
    /// Offers a claim. What became of it comes to the receiver.
    pub fn of(claim: NextClaim) -> (Self, oneshot::Receiver<Told>) {
        let (told, hears) = oneshot::channel();
        (Self { claim, told: Some(told) }, hears)
    }

    /// The claim.
    pub fn claim(&self) -> &NextClaim {
        &self.claim
    }

    /// Tells the waiter what became of the claim.
    pub fn tell(mut self, told: Told) {
        if let Some(waiter) = self.told.take() {
            // The client of the waiter may have hung up.
            let _ = waiter.send(told);
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if let Some(waiter) = self.told.take() {
            let _ =
                waiter.send(Some(Err(link::Error::Lost("the release that took the claim along ended".into()).into())));
        }
    }
}
