//! Cancels an acquire whose outcome no client learns: `lua/cancel.lua`.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Failure, event::UndoneCause};
use gorilla_scripts::{Cancel, CancelReply};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    metrics::Cancelled,
    store::{base::Store, bid::Bid, error::Error, protocol},
};

/// Between two attempts to reach Redis.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// After this long Gorilla stops trying, and the lease of the acquire ends the lock.
const GIVE_UP: Duration = Duration::from_secs(60);

impl Store {
    /// Tries the cancellation once.
    pub(super) async fn cancel_once(
        self: &Arc<Self>,
        lock: &str,
        bid: &Bid,
        cause: UndoneCause,
    ) -> Result<CancelReply, Error> {
        let (owner, (request, _)) = (bid.asked.owner.as_str(), protocol::record(bid.asked.once.as_ref()));
        let (share, cause) = (bid.share.as_deref(), cause.as_str());
        let call = Cancel { id: &bid.id, owner, channel: &self.channel, request, share, cause };
        let reply = self.run_uncounted(lock, &call).await?;
        let (CancelReply::Released { turn } | CancelReply::Marked { turn } | CancelReply::Kept { turn }) = reply;
        self.watch_turn(lock, turn);
        Ok(reply)
    }

    /// Repeats the cancellation until Redis has confirmed it.
    pub(super) async fn cancel(self: &Arc<Self>, lock: &str, bid: &Bid, cause: UndoneCause) {
        let (begun, id) = (Instant::now(), &bid.id);
        loop {
            match self.cancel_once(lock, bid, cause).await.map_err(Failure::from) {
                Ok(reply) => {
                    let (outcome, how) = match reply {
                        CancelReply::Released { .. } => ("released", Cancelled::Released),
                        CancelReply::Marked { .. } => ("marked", Cancelled::Marked),
                        CancelReply::Kept { .. } => ("kept", Cancelled::Kept),
                    };
                    self.metrics.redis.cancelled(how);
                    info!(id, outcome, "cancelled an acquire whose outcome no client learnt");
                    return;
                }
                // Repeating the cancellation does not mend what an operator must fix.
                Err(failure) if begun.elapsed() > GIVE_UP || matches!(failure, Failure::Broken(_)) => {
                    self.metrics.redis.cancelled(Cancelled::GivenUp);
                    warn!(id, ?failure, "could not cancel an acquire; if it took the lock, the lease ends the lock");
                    return;
                }
                Err(_) => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
    }
}
