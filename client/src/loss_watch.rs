//! Watches the lock of a guard, so that a loss is noticed before the next renewal.

use std::time::Duration;

use gorilla_wire::Election;
use tokio::sync::{mpsc::WeakSender, watch::Receiver};

use crate::{
    clock::Moment,
    error::Lost,
    keeper::Order,
    lease::Lease,
    requests,
    wire::{Answer, Wire, read},
};

/// How long one request waits for news.
const PIECE: Duration = Duration::from_secs(20);
/// From an answer that is of no use, or that has had the lock renewed, to the next request.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks whether the lock changes hands until its keeper ends, and has the keeper renew when it does.
pub async fn watch(
    wire: Wire,
    resource: String,
    lease: Receiver<Lease>,
    mut lost: Receiver<Option<Lost>>,
    orders: WeakSender<Order>,
) {
    let watching = async {
        loop {
            let fence = lease.borrow().grant.fence;
            let asked = Moment::now();
            let is_lost = match wire.exchange(&requests::leader_after(&resource, Some(fence), PIECE)).await {
                Ok(Answer::Done(_, body)) => read::<Election>(body).is_ok_and(|told| told.term != Some(fence)),
                Ok(Answer::Refused(_)) | Err(_) => false,
            };
            // A conversion gives the lock another fence, and then the answer is about the old one.
            if is_lost && lease.borrow().grant.fence == fence && lease.borrow().grant.share.is_none() {
                let Some(orders) = orders.upgrade() else { return };
                let _ = orders.send(Order::Renew).await;
            } else if asked.elapsed() >= PAUSE {
                continue;
            }
            tokio::time::sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
        }
    };
    tokio::select! {
        () = watching => {}
        // With a value the lock is lost; with an error its keeper has ended.
        _ = lost.wait_for(Option::is_some) => {}
    }
}
