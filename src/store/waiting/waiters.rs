//! Who waits on this replica, for which lock, and in which order. Says when a waiter has reason to ask Redis again: it was
//! woken by a message, or it is the first of its local queue and the lock may be free by now.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// After a handover the next one may follow soon, and its message may get lost with a replica that dies. So the lock is
/// looked at once more this much later.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long a waiter that Redis could not serve waits until it asks again.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Added to a lease's end, so that the key has expired when Redis is asked.
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

/// The waiters for one lock that have joined its queue.
struct LocalQueue {
    /// By when they arrived.
    order: BTreeMap<(u64, String), Arc<Waiter>>,
    /// When the first of them should look whether the lock is free.
    look_at: Instant,
    /// The fence of the holder when somebody looked last, if there was one.
    fence: Option<u64>,
    /// Whether the lock was released through this replica, and nothing has been heard of it since.
    released_here: bool,
    /// Whether the last release through this replica handed the lock to a waiter of this replica.
    next_is_here: bool,
}

impl LocalQueue {
    fn new() -> Self {
        Self { order: BTreeMap::new(), look_at: Instant::now(), fence: None, released_here: false, next_is_here: false }
    }

    /// The lock is held under this fence, and for so long unless its lease is extended; or it is free, and for so long
    /// somebody's turn.
    fn news(&mut self, fence: Option<u64>, look_in: Duration) {
        // The holder has not changed since somebody looked: the next handover comes with a message, or with its end.
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
    /// Whether there is reason to ask Redis; else it was only told to look at the clock of its local queue anew.
    called: AtomicBool,
    notify: Notify,
}

/// The place of a waiter in a local queue. When it is dropped, the waiter leaves the queue.
pub struct Place<'a> {
    waiters: &'a Waiters,
    queue: &'a str,
    id: &'a str,
    waiter: Arc<Waiter>,
    /// When it arrived in the queue, in microseconds since 1970, if it has.
    pub arrived: Option<u64>,
    /// When the waiter asks again, whatever its local queue knows.
    ask_at: Option<Instant>,
}

impl Waiter {
    fn call(&self) {
        self.called.store(true, Relaxed);
        self.notify.notify_one();
    }
}

impl Waiters {
    /// Prepares to wait. Before anything is sent, so that a message can't come too early.
    pub fn enter<'a>(&'a self, queue: &'a str, id: &'a str) -> Place<'a> {
        let waiter = Arc::<Waiter>::default();
        self.state().waiters.insert(id.into(), Arc::clone(&waiter));
        Place { waiters: self, queue, id, waiter, arrived: None, ask_at: None }
    }

    /// A message came, as `lua/lib/turn.lua` and `lua/lib/queue.lua` send them: the id of an attempt whose turn it is; or the key of a queue from
    /// which this replica's places were dropped; or a lease in milliseconds, a fence and the key of a queue, when the
    /// lock has changed hands and this replica has the first place.
    pub fn message(&self, text: &str) {
        let mut state = self.state();
        let mut parts = text.splitn(3, ' ');
        if let (Some(lease), Some(fence), Some(queue)) = (parts.next(), parts.next(), parts.next())
            && let (Ok(lease), Ok(fence)) = (lease.parse(), fence.parse())
        {
            if let Some(local) = state.queues.get_mut(queue) {
                local.released_here = false;
                local.news(Some(fence), Duration::from_millis(lease));
            }
        } else if let Some(waiter) = state.waiters.get(text) {
            waiter.call();
        } else if let Some(local) = state.queues.get(text) {
            local.order.values().for_each(|waiter| waiter.call());
        }
    }

    /// A release has just been sent. If the one before handed the lock to a waiter of this replica, the next may do so too:
    /// its claim follows the release on the same connection, and does not wait for the message. Where that is wrong the
    /// claim finds it has to wait, and the next release is not followed by one.
    pub fn released(&self, queue: &str) {
        if let Some(local) = self.state().queues.get_mut(queue) {
            local.released_here = true;
            if local.next_is_here
                && let Some((_, first)) = local.order.first_key_value()
            {
                first.call();
            }
        }
    }

    /// Messages may have been lost, or the queues themselves: everybody asks again.
    pub fn call_all(&self) {
        let state = self.state();
        state.queues.values().flat_map(|local| local.order.values()).for_each(|waiter| waiter.call());
    }

    /// The replica is about to end: everybody asks once more, and nobody waits any longer.
    pub fn dismiss(&self) {
        self.dismissed.store(true, Relaxed);
        self.state().waiters.values().for_each(|waiter| waiter.call());
    }

    /// Whether nobody waits any longer.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.load(Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Redis has queued the attempt. `fence` is the holder's, `look_in` how long it may hold the lock.
    pub fn queued(&mut self, arrived: u64, fence: Option<u64>, look_in: Duration) {
        if self.arrived != Some(arrived) {
            self.leave_queue();
        }
        self.ask_at = None;
        let mut state = self.waiters.state();
        let local = match state.queues.get_mut(self.queue) {
            Some(local) => local,
            None => state.queues.entry(self.queue.into()).or_insert(LocalQueue::new()),
        };
        if fence != local.fence {
            local.next_is_here = false;
        }
        local.news(fence, look_in);
        if self.arrived.is_none() {
            local.order.insert((arrived, self.id.into()), Arc::clone(&self.waiter));
            self.arrived = Some(arrived);
        }
    }

    /// The waiter got the lock, for so long: the waiters behind it in the local queue are to know.
    pub fn granted(&self, fence: u64, lease: Duration) {
        if let Some(local) = self.waiters.state().queues.get_mut(self.queue) {
            local.next_is_here = std::mem::take(&mut local.released_here);
            local.news(Some(fence), lease);
        }
    }

    /// A copy of the request has the place now. The grant that it gets is this one's answer too.
    pub fn superseded(&mut self) {
        let arrived = self.arrived;
        self.leave_queue();
        self.arrived = arrived;
        self.ask_at = Some(Instant::now() + RETRY_DELAY);
    }

    /// Redis could not be asked. It is asked again when there is a new connection, or after a while.
    pub fn retry_later(&mut self) {
        self.ask_at = Some(Instant::now() + RETRY_DELAY);
    }

    /// Waits for a reason to ask Redis again, until `deadline` at most.
    pub async fn called(&self, deadline: Instant) {
        while !self.waiter.called.swap(false, Relaxed) {
            let until = || [self.ask_at, self.look_at()].into_iter().flatten().fold(deadline, Instant::min);
            // The local queue may have had news since, and its time have moved.
            if timeout_at(until(), self.waiter.notify.notified()).await.is_err() && until() <= Instant::now() {
                return;
            }
        }
    }

    /// When to look whether the lock is free, if this waiter is the first of its local queue: one that looks is enough.
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
            // Perhaps it is the first now, and keeps the time.
            Some((_, first)) => first.notify.notify_one(),
            None => drop(state.queues.remove(self.queue)),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave_queue();
        self.waiters.state().waiters.remove(self.id);
    }
}
