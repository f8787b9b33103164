//! What clients do with their locks.

use crate::load::{Answer, Dialogue};

/// A request of the lock API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes the lock.
    Acquire,
    /// Asks about it.
    Status,
    /// Makes it last longer.
    Extend,
    /// Gives it back.
    Release,
}

/// How a server wants to be asked for one lock. It remembers the lock's token between the steps.
pub trait Speech {
    /// Appends the request.
    fn say(&mut self, step: Step, request: &mut Vec<u8>);

    /// Takes its answer, which must be a success.
    fn hear(&mut self, step: Step, answer: &Answer) -> Result<(), String>;

    /// Whether the step takes one more request, which `say` appends.
    fn goes_on(&self) -> bool {
        false
    }
}

/// What a client does over and over.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// As results have it.
    pub name: &'static str,
    /// What is done once.
    opening: &'static [Step],
    /// What is done over and over.
    cycle: &'static [Step],
}

/// Each client takes and releases a lock of its own.
pub const OWN_LOCKS: Workload = Workload { name: "own-locks", opening: &[], cycle: &[Step::Acquire, Step::Release] };
/// Each client asks about a lock that it holds.
pub const STATUS: Workload = Workload { name: "status", opening: &[Step::Acquire], cycle: &[Step::Status] };
/// Each client extends a lock that it holds.
pub const EXTEND: Workload = Workload { name: "extend", opening: &[Step::Acquire], cycle: &[Step::Extend] };
/// Each client takes a lock, looks at it, extends it and releases it.
pub const MIXED: Workload =
    Workload { name: "mixed", opening: &[], cycle: &[Step::Acquire, Step::Status, Step::Extend, Step::Release] };

impl Workload {
    /// A client that does this.
    pub fn by(self, speech: Box<dyn Speech>) -> Box<dyn Dialogue> {
        let steps = [self.opening, self.cycle].concat();
        Box::new(Client { speech, steps, repeated_from: self.opening.len(), at: 0 })
    }
}

struct Client {
    speech: Box<dyn Speech>,
    steps: Vec<Step>,
    repeated_from: usize,
    at: usize,
}

impl Dialogue for Client {
    fn begin(&mut self, request: &mut Vec<u8>) {
        self.speech.say(self.steps[self.at], request);
    }

    fn go_on(&mut self, answer: &Answer, request: &mut Vec<u8>) -> Result<bool, String> {
        self.speech.hear(self.steps[self.at], answer)?;
        let goes_on = self.speech.goes_on();
        self.at += usize::from(!goes_on);
        match self.steps.get(self.at) {
            Some(&step) => self.speech.say(step, request),
            None => self.at = self.repeated_from,
        }
        Ok(!goes_on)
    }
}
