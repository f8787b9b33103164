//! How many items of batches may be under way at once.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many items of one batch may be under way. More would only wait for each other.
const MOST_OF_ONE: usize = 256;
/// How many items of all batches may be under way: enough to keep Redis busy, and few enough that a request which comes
/// alone doesn't wait long behind them.
const MOST_OF_ALL: usize = 1024;

/// The room that all batches share. An item waits for its turn here, where a request that comes alone is refused if too
/// many commands are in flight: otherwise batches that come at once would refuse each other's items.
pub struct Room {
    all: Semaphore,
    of_one: usize,
}

impl Room {
    /// The room for batches where so many commands may be in flight. They leave half to requests that come alone.
    pub fn of_batches(max_in_flight: usize) -> Self {
        let all = (max_in_flight / 2).clamp(1, MOST_OF_ALL);
        Self { all: Semaphore::new(all), of_one: MOST_OF_ONE.min(all) }
    }

    /// How many items of one batch may be under way.
    pub fn of_one(&self) -> usize {
        self.of_one
    }

    /// Waits for room for one item, first come, first served. The item has it until the value is dropped.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // It fails only if the semaphore is closed, and nothing closes it.
        self.all.acquire().await.ok()
    }

    /// The same for so many items that go together, at most `of_one`.
    pub async fn enter_together(&self, items: usize) -> Option<SemaphorePermit<'_>> {
        self.all.acquire_many(items as u32).await.ok()
    }
}
