//! The requests that wait on this replica: for which lock, and in which order. Says when a waiter has reason to ask
//! Redis again: a message woke it, or it is the first of its local queue and the lock may be free by now.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use gorilla_scripts::Sibling;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout_at},
};

use super::offer::{NextClaim, Offer, Told};

/// After a handover the next handover may follow soon, and its message may get lost with a replica that dies. So the
/// first waiter looks at the lock once more, this much later.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// From an attempt to reach Redis that failed until the waiter asks again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Added to the end of a lease, so that the key has expired when the waiter asks.
const MARGIN: Duration = Duration::from_millis(1);

/// All waiters of a replica.
#[derive(Default)]
pub struct Waiters {
    state: Mutex<State>,
    dismissed: AtomicBool,
}

#[derive(Default)]
struct State {
    /// By the id of the attempt, as messages name it.
    waiters: HashMap<String, Arc<Waiter>>,
    /// By the key of the queue.
    queues: HashMap<String, LocalQueue>,
}

/// The waiters for one lock.
struct LocalQueue {
    /// How many waiters there are, those that have not joined the queue yet included.
    waiters: usize,
    /// Those who arrived until then were called last. The message may overtake the reply that tells a waiter when it
    /// arrived.
    called: u64,
    /// Those that have joined the queue, by the time when they arrived.
    order: BTreeMap<(u64, String), Arc<Waiter>>,
    /// When the first waiter should look whether the lock is free.
    look_at: Instant,
    /// The fence of the holder that this replica heard of last; `None` if the lock was free.
    fence: Option<u64>,
    /// Whether the lock was released through this replica, and this replica has heard nothing of it since.
    released_here: bool,
    /// Whether the next release through this replica may hand the lock to a waiter of this replica: the last one did, or
    /// there was none.
    next_is_here: bool,
}

impl LocalQueue {
    fn new() -> Self {
        Self {
            waiters: 0,
            called: 0,
            order: BTreeMap::new(),
            look_at: Instant::now(),
            fence: None,
            released_here: false,
            next_is_here: true,
        }
    }

    /// Notes that the lock is held under this fence for so long, unless its lease is extended; or, without a fence,
    /// that the lock is free, and a waiter has the turn for so long.
    fn news(&mut self, fence: Option<u64>, look_in: Duration) {
        // If the fence is the known one, the next handover comes with a message, or with the end of the lease.
        let look_in = if fence == self.fence { look_in } else { look_in.min(SECOND_LOOK) };
        let look_at = Instant::now() + look_in + MARGIN;
        let earlier = look_at < self.look_at;
        self.look_at = look_at;
        self.fence = fence;
        if earlier && let Some((_, first)) = self.order.first_key_value() {
            first.notify.notify_one();
        }
    }
}

#[derive(Default)]
struct Waiter {
    /// Whether a release may take its claim along: the waiter wants the lock alone.
    takes_over: bool,
    /// Whether there is reason to ask Redis. Otherwise the waiter was only told to read `look_at` anew.
    called: AtomicBool,
    notify: Notify,
    stance: Mutex<Stance>,
}

/// What a waiter is doing.
#[derive(Default)]
enum Stance {
    /// It asks Redis.
    #[default]
    Asks,
    /// It waits for a reason to ask, and would ask this.
    Waits(NextClaim),
    /// A release, which was about to be sent at this time, has taken its claim along, and the waiter hears from it.
    Hears(oneshot::Receiver<Told>, Instant),
}

/// The place of a waiter in a local queue. When it is dropped, the waiter leaves the queue.
pub struct Place<'a> {
    waiters: &'a Waiters,
    queue: &'a str,
    id: &'a str,
    waiter: Arc<Waiter>,
    /// When the waiter arrived in the queue, in microseconds since 1970; `None` before that.
    pub arrived: Option<u64>,
    /// The last claim of the waiter was sent then, or later: Redis has granted nothing to the waiter before.
    pub asked: Instant,
    /// When the waiter asks Redis again, whatever its local queue knows.
    ask_at: Option<Instant>,
}

impl Waiter {
    fn call(&self) {
        self.called.store(true, Relaxed);
        self.notify.notify_one();
    }

    fn stance(&self) -> MutexGuard<'_, Stance> {
        self.stance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the claim of the waiter, which hears what becomes of it. None if the waiter does not wait.
    fn offer(&self) -> Option<Offer> {
        let mut stance = self.stance();
        let Stance::Waits(claim) = &*stance else { return None };
        let (offer, hears) = Offer::of(claim.clone());
        *stance = Stance::Hears(hears, Instant::now());
        self.notify.notify_one();
        Some(offer)
    }
}

impl Waiters {
    /// Prepares to wait. Call it before anything is sent, so that a message can't come too early.
    pub fn enter<'a>(&'a self, queue: &'a str, id: &'a str, takes_over: bool) -> Place<'a> {
        let waiter = Arc::new(Waiter { takes_over, ..Waiter::default() });
        let mut state = self.state();
        state.waiters.insert(id.into(), Arc::clone(&waiter));
        match state.queues.get_mut(queue) {
            Some(local) => local.waiters += 1,
            None => drop(state.queues.insert(queue.into(), LocalQueue { waiters: 1, ..LocalQueue::new() })),
        }
        drop(state);
        Place { waiters: self, queue, id, waiter, arrived: None, asked: Instant::now(), ask_at: None }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.state().waiters.len()
    }

    /// The queues in which the most requests wait here, by their keys, each with how many, the most first.
    pub fn longest(&self, most: usize) -> Vec<(String, usize)> {
        let state = self.state();
        let mut lines: Vec<_> = state.queues.iter().map(|(queue, local)| (queue, local.waiters)).collect();
        let longer = |one: &(&String, usize), other: &(&String, usize)| other.1.cmp(&one.1);
        if lines.len() > most {
            lines.select_nth_unstable_by(most, longer);
            lines.truncate(most);
        }
        lines.sort_unstable_by(longer);
        lines.into_iter().map(|(queue, waiting)| (queue.clone(), waiting)).collect()
    }

    /// Takes a message, as `lua/lib/turn.lua`, `lua/lib/queue.lua` and `lua/lib/group/call.lua` send them: the id of an
    /// attempt that has the turn, with its share if it wants to share the lock; or `call`, a time of arrival and the key of
    /// a queue, when those who arrived until then may join the group; or the key of a queue from which Redis dropped the places of this replica; or a lease in milliseconds, a
    /// fence and the key of a queue, when the lock has changed hands and a waiter of this replica has the first place.
    pub fn message(&self, text: &str) {
        let mut state = self.state();
        let mut parts = text.splitn(3, ' ');
        if let Some(call) = text.strip_prefix("call ") {
            if let Some((bound, queue)) = call.split_once(' ')
                && let (Ok(bound), Some(local)) = (bound.parse::<u64>(), state.queues.get_mut(queue))
            {
                local.called = bound;
                let called = local.order.iter().take_while(|((arrived, _), _)| *arrived <= bound);
                called.for_each(|(_, waiter)| waiter.call());
            }
        } else if let (Some(lease), Some(fence), Some(queue)) = (parts.next(), parts.next(), parts.next())
            && let (Ok(lease), Ok(fence)) = (lease.parse(), fence.parse())
        {
            if let Some(local) = state.queues.get_mut(queue) {
                local.released_here = false;
                local.news(Some(fence), Duration::from_millis(lease));
            }
        } else if let Some(waiter) = text.split('*').next().and_then(|id| state.waiters.get(id)) {
            waiter.call();
        } else if let Some(local) = state.queues.get(text) {
            local.order.values().for_each(|waiter| waiter.call());
        }
    }

    /// A release of the lock at this key is about to be sent. If it may hand the lock to a waiter of this replica, it
    /// takes the claim of the first waiter along. If the turn belongs to another waiter after all, the claim finds that
    /// it has to wait, and the next release takes none along.
    pub fn releasing(&self, lock: &str) -> Option<Offer> {
        let mut state = self.state();
        // Usually nobody waits here, and then the name of the queue is not even put together.
        if state.queues.is_empty() {
            return None;
        }
        let local = state.queues.get_mut(&Sibling::Queue.key(lock))?;
        local.released_here = true;
        let (_, first) = local.order.first_key_value().filter(|(_, first)| local.next_is_here && first.takes_over)?;
        let offer = first.offer();
        if offer.is_none() {
            // What it asks now may come too soon.
            first.call();
        }
        offer
    }

    /// Messages may have been lost, or the queues themselves: all waiters ask again.
    pub fn call_all(&self) {
        let state = self.state();
        state.queues.values().flat_map(|local| local.order.values()).for_each(|waiter| waiter.call());
    }

    /// The replica is about to end: all waiters ask once more, and then stop waiting.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Relaxed);
        self.state().waiters.values().for_each(|waiter| waiter.call());
    }

    /// Whether the replica is about to end, so that no request waits any longer.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Redis has queued the attempt. `fence` is that of the holder, and `look_in` how long it may hold the lock.
    pub fn queued(&mut self, arrived: u64, fence: Option<u64>, look_in: Duration) {
        if self.arrived != Some(arrived) {
            self.leave_queue();
        }
        self.ask_at = None;
        let mut state = self.waiters.state();
        let Some(local) = state.queues.get_mut(self.queue) else { return };
        // The lock has changed hands, and not through this replica. Of a new queue nothing is known.
        if fence != local.fence && !local.order.is_empty() {
            local.next_is_here = false;
        }
        local.news(fence, look_in);
        if self.arrived.is_none() {
            local.order.insert((arrived, self.id.into()), Arc::clone(&self.waiter));
            self.arrived = Some(arrived);
            // The message may have come before this reply was read.
            if arrived <= local.called {
                self.waiter.call();
            }
        }
    }

    /// Redis has granted the lock to this waiter, for so long. Tells the waiters behind it in the local queue.
    pub fn granted(&self, fence: u64, lease: Duration) {
        if let Some(local) = self.waiters.state().queues.get_mut(self.queue) {
            local.next_is_here = mem::take(&mut local.released_here);
            local.news(Some(fence), lease);
        }
    }

    /// This waiter has joined the group with this floor, for so long. Whoever waits behind it looks when this lease ends,
    /// if no other ends before.
    pub fn joined(&self, floor: u64, lease: Duration) {
        if let Some(local) = self.waiters.state().queues.get_mut(self.queue) {
            local.released_here = false;
            let known = local.look_at.saturating_duration_since(Instant::now());
            local.news(Some(floor), lease.min(known));
        }
    }

    /// A copy of the request has the place now. The grant that the copy gets is the answer to this request too.
    pub fn superseded(&mut self) {
        let arrived = self.arrived;
        self.leave_queue();
        self.arrived = arrived;
        self.ask_at = Some(Instant::now() + RETRY_DELAY);
    }

    /// Redis could not be reached. The waiter asks again when there is a new connection, or after a while.
    pub fn retry_later(&mut self) {
        self.ask_at = Some(Instant::now() + RETRY_DELAY);
    }

    /// Waits for a reason to ask Redis again, until `deadline` at most; or until a release took the claim along, and it is
    /// known what became of the claim.
    pub async fn called(&mut self, deadline: Instant, claim: Option<&NextClaim>) -> Told {
        *self.waiter.stance() = claim.map_or(Stance::Asks, |claim| Stance::Waits(claim.clone()));
        while !self.hears() && !self.waiter.called.swap(false, Relaxed) {
            let until = || [self.ask_at, self.look_at()].into_iter().flatten().fold(deadline, Instant::min);
            // Meanwhile the local queue may have had news, and may have moved its time.
            if timeout_at(until(), self.waiter.notify.notified()).await.is_err() && until() <= Instant::now() {
                break;
            }
        }
        let stance = mem::take(&mut *self.waiter.stance());
        match stance {
            // The release ends in time, and what became of the claim comes even if nobody waits for the release.
            Stance::Hears(hears, since) => {
                self.asked = since;
                hears.await.unwrap_or(None)
            }
            Stance::Asks | Stance::Waits(_) => None,
        }
    }

    /// Whether a release has taken the claim along.
    fn hears(&self) -> bool {
        matches!(*self.waiter.stance(), Stance::Hears(..))
    }

    /// When this waiter should look whether the lock is free, if it is the first of its local queue. One look is enough
    /// for all.
    fn look_at(&self) -> Option<Instant> {
        let state = self.waiters.state();
        let local = state.queues.get(self.queue)?;
        let (_, first) = local.order.first_key_value()?;
        Arc::ptr_eq(first, &self.waiter).then_some(local.look_at)
    }

    fn leave_queue(&mut self) {
        let Some(arrived) = self.arrived.take() else { return };
        let mut state = self.waiters.state();
        let Some(local) = state.queues.get_mut(self.queue) else { return };
        local.order.remove(&(arrived, self.id.into()));
        match local.order.first_key_value() {
            // This waiter may have become the first, which has to look at the lock in time.
            Some((_, first)) => first.notify.notify_one(),
            // Nothing is known of a queue in which nobody waits.
            None => *local = LocalQueue { waiters: local.waiters, called: local.called, ..LocalQueue::new() },
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave_queue();
        let mut state = self.waiters.state();
        state.waiters.remove(self.id);
        if let Some(local) = state.queues.get_mut(self.queue) {
            local.waiters -= 1;
            if local.waiters == 0 {
                state.queues.remove(self.queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "gorilla:{r}:queue";
    const LONG: Duration = Duration::from_secs(30);

    /// Whether a waiter that arrived then has reason to ask Redis at once.
    async fn is_called(place: &mut Place<'_>) -> bool {
        let soon = Instant::now() + Duration::from_millis(20);
        place.called(soon, None).await;
        Instant::now() < soon
    }

    #[tokio::test]
    async fn a_call_that_comes_before_the_waiter_knows_its_place_is_not_lost() {
        let waiters = Waiters::default();
        let [mut called, mut later] = ["a", "b"].map(|id| waiters.enter(QUEUE, id, false));
        waiters.message(&format!("call 100 {QUEUE}"));
        called.queued(100, Some(1), LONG);
        later.queued(101, Some(1), LONG);
        assert!(is_called(&mut called).await);
        assert!(!is_called(&mut later).await);
        // It asks once for each reason.
        assert!(!is_called(&mut called).await);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_queue_when_its_last_waiter_has_left() {
        let waiters = Waiters::default();
        let mut first = waiters.enter(QUEUE, "a", false);
        first.queued(1, None, LONG);
        let second = waiters.enter(QUEUE, "b", false);
        drop(first);
        assert_eq!(waiters.state().queues.len(), 1);
        drop(second);
        assert!(waiters.state().queues.is_empty() && waiters.state().waiters.is_empty());
    }
}
