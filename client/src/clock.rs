//! Time that goes on while the machine is suspended.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// How often a sleeper looks at the clock: the timers of the runtime stand still while the machine is suspended.
const LOOK: Duration = Duration::from_millis(500);

/// Linux counts suspension in this clock alone; the monotonic clock of others counts it too.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment of this machine's time since it was started, which no setting of the wall clock moves. Another process of
/// the same machine understands it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let now = clock_gettime(CLOCK);
        Self(Duration::new(now.tv_sec as u64, now.tv_nsec as u32))
    }

    /// From how long after the start of the machine it is.
    pub fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long after the start of the machine it is.
    pub fn since_start(self) -> Duration {
        self.0
    }

    /// From now until then; zero if it is over.
    pub fn left(self) -> Duration {
        self.0.saturating_sub(Self::now().0)
    }

    /// From then until now; zero if it is still to come.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates, so that `Duration::MAX` is for ever.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier))
    }
}

/// Sleeps until then. After a suspension of the machine it wakes within half a second.
pub async fn sleep_until(then: Moment) {
    loop {
        let left = then.left();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}
