//! What the clients of a run share: the replicas to ask, the registers, the clock, and the history.

use std::{
    collections::{BTreeMap, HashMap},
    slice,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use gorilla_harness::Api;

use crate::{
    history::{Event, History, Moment},
    register::Registers,
};

/// One run, seen by its clients.
pub struct World {
    begun: Instant,
    /// What is locked.
    pub resources: Vec<String>,
    /// Registers that compare fences, and registers that don't.
    pub registers: [Registers; 2],
    /// The replicas, and whether each is of this version, which knows sets and batches.
    replicas: RwLock<Vec<(Api, bool)>>,
    notes: Mutex<Notes>,
    over: AtomicBool,
    next: AtomicU64,
}

#[derive(Default)]
struct Notes {
    events: Vec<Event>,
    tokens: HashMap<String, u64>,
    /// How often each operation had which answer.
    answers: BTreeMap<(&'static str, String), u64>,
    last_grant: Moment,
    longest_gap: Moment,
    grants: u64,
}

/// The figures of a run, beside its history.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// Grants that were answered.
    pub grants: u64,
    /// The longest time without a grant, in all resources together.
    pub longest_gap: Moment,
    /// How often an operation was answered with a status and a code.
    pub answers: BTreeMap<(&'static str, String), u64>,
}

impl World {
    /// Begins the clock.
    pub fn new(resources: Vec<String>, replicas: Vec<(Api, bool)>) -> Self {
        Self {
            begun: Instant::now(),
            resources,
            registers: [Registers::new(true), Registers::new(false)],
            replicas: RwLock::new(replicas),
            notes: Mutex::default(),
            over: AtomicBool::new(false),
            next: AtomicU64::new(0),
        }
    }

    /// The time since the run began.
    pub fn now(&self) -> Moment {
        Moment::try_from(self.begun.elapsed().as_nanos()).unwrap_or(Moment::MAX)
    }

    /// Any of the replicas.
    pub fn any(&self, random: &mut fastrand::Rng) -> Api {
        let replicas = self.replicas.read().unwrap_or_else(PoisonError::into_inner);
        replicas[random.usize(..replicas.len())].0.clone()
    }

    /// Any of the replicas of this version, if there is one.
    pub fn any_of_this_version(&self, random: &mut fastrand::Rng) -> Option<Api> {
        let replicas = self.replicas.read().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<_> = replicas.iter().filter(|(_, is_of_this_version)| *is_of_this_version).collect();
        (!known.is_empty()).then(|| known[random.usize(..known.len())].0.clone())
    }

    /// A replica that has another address from now on, and whether it is of this version.
    pub fn replace(&self, index: usize, api: Api, is_of_this_version: bool) {
        self.replicas.write().unwrap_or_else(PoisonError::into_inner)[index] = (api, is_of_this_version);
    }

    /// A number that no other caller gets.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// Whether the clients must end.
    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Tells the clients to end.
    pub fn end(&self) {
        self.over.store(true, Relaxed);
        let now = self.now();
        self.notes().grant_or_end(now);
    }

    /// Keeps an event.
    pub fn note(&self, event: Event) {
        let mut notes = self.notes();
        let acquires = match &event {
            Event::Acquire(acquire) => slice::from_ref(acquire),
            Event::Set(set) => set.parts.as_slice(),
            _ => &[],
        };
        for acquire in acquires {
            if let (Some(_), Some(answered)) = (&acquire.grant, acquire.answered) {
                notes.grants += 1;
                if !self.is_over() {
                    notes.grant_or_end(answered);
                }
            }
        }
        notes.events.push(event);
    }

    /// Counts an answer.
    pub fn answered(&self, what: &'static str, answer: String) {
        *self.notes().answers.entry((what, answer)).or_default() += 1;
    }

    /// Stands for a token in the history.
    pub fn token(&self, token: &str) -> u64 {
        let mut notes = self.notes();
        let next = notes.tokens.len() as u64 + 1;
        *notes.tokens.entry(token.into()).or_insert(next)
    }

    /// What there is at the end.
    pub fn finish(&self) -> (History, Sum) {
        let mut notes = self.notes();
        let history = History { events: std::mem::take(&mut notes.events) };
        let (grants, longest_gap) = (notes.grants, notes.longest_gap);
        (history, Sum { grants, longest_gap, answers: std::mem::take(&mut notes.answers) })
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn grant_or_end(&mut self, at: Moment) {
        self.longest_gap = self.longest_gap.max(at.saturating_sub(self.last_grant));
        self.last_grant = self.last_grant.max(at);
    }
}
