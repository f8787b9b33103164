//! A clock that goes on while the machine is suspended.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// How often `sleep_until` looks at the clock: the timers of the runtime stand still while the machine is suspended.
const LOOK: Duration = Duration::from_millis(500);

/// On Linux only this clock counts suspension. On other systems the monotonic clock does so too.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment, counted from the start of this machine. Setting the wall clock does not move it, and it means the same in
/// all processes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        let now = clock_gettime(CLOCK);
        Self(Duration::new(now.tv_sec as u64, now.tv_nsec as u32) + advanced())
    }

    /// The moment so long after the start of the machine.
    pub fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long after the start of the machine the moment is.
    pub fn since_start(self) -> Duration {
        self.0
    }

    /// The time from now until then; zero if the moment is over.
    pub fn left(self) -> Duration {
        self.0.saturating_sub(Self::now().0)
    }

    /// The time from then until now; zero if the moment is still to come.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// The sum saturates, so that `Duration::MAX` is for ever.
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

/// By how much the clock is ahead of the clock of the machine: never, but for tests.
#[cfg(not(feature = "test-clock"))]
fn advanced() -> Duration {
    Duration::ZERO
}

#[cfg(feature = "test-clock")]
fn advanced() -> Duration {
    test_clock::advanced()
}

/// Moves the clock of this process, as a suspension of the machine does. For tests of programs that hold locks.
#[cfg(feature = "test-clock")]
pub mod test_clock {
    use std::{
        sync::atomic::{AtomicU64, Ordering::Relaxed},
        time::Duration,
    };

    static MILLISECONDS: AtomicU64 = AtomicU64::new(0);

    /// Moves the clock so far ahead, rounded down to a millisecond. The timers of the runtime don't know.
    pub fn advance(by: Duration) {
        MILLISECONDS.fetch_add(by.as_millis() as u64, Relaxed);
    }

    pub(super) fn advanced() -> Duration {
        Duration::from_millis(MILLISECONDS.load(Relaxed))
    }
}

/// Sleeps until a moment. After a suspension of the machine, wakes within half a second.
pub async fn sleep_until(then: Moment) {
    loop {
        let left = then.left();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK)).await;
    }
}
