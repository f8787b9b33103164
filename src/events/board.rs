//! What the reader of a replica has read, for all its listeners: the newest frames, each shared, and where the reader
//! stands. A listener is a position in it, and costs nothing while nothing happens.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use gorilla_domain::{
    Failure,
    event::{Cursor, Epoch, Missed},
};
use tokio::sync::watch;

use super::recorded::Recorded;

/// Frames that are kept. A listener that falls behind by more reads from Redis once, and is sent away the second time.
pub const KEPT: usize = 8_192;

/// Something to tell, at its position.
#[derive(Clone)]
pub enum Frame {
    /// An event.
    Event(Arc<Recorded>),
    /// Events are missing here, and what is told from now on comes behind this cursor.
    Missed(Missed, Cursor),
}

/// What the reader has read.
pub struct Board {
    state: Mutex<State>,
    /// Changes with every change of the state.
    changes: watch::Sender<()>,
}

/// The content of a board.
#[derive(Default)]
pub struct State {
    frames: VecDeque<Frame>,
    /// The number of the first frame that is kept. Frames are numbered in the order in which they came.
    first: u64,
    /// Where the reader stands; `None` until it has read all that is recorded.
    pub position: Option<Cursor>,
    /// What comes before this cursor isn't on the board: it was dropped, or the reader began behind it.
    pub begins: Option<Cursor>,
    /// The number of the first frame of the present epoch.
    epoch_first: u64,
    /// The epoch before the present one, and why it ended.
    pub before: Option<(Epoch, Missed)>,
    /// Why the reader can't read now, if it can't.
    pub trouble: Option<Failure>,
    /// Since when Redis has recorded, as far as that is kept.
    pub recorded_since: Option<DateTime<Utc>>,
    /// Whether the replica is about to end.
    pub is_draining: bool,
    /// Whether more locks are held than the reader follows.
    pub expiries_are_late: bool,
}

impl Board {
    /// An empty one.
    pub fn new() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Looks at the content. Don't wait for anything while holding it.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the content, and wakes everybody who waits for changes.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changes.send_replace(());
        result
    }

    /// Tells of changes from now on.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

impl State {
    /// Adds a frame, and drops the oldest if there are too many.
    pub fn push(&mut self, frame: Frame) {
        if self.frames.len() == KEPT {
            let dropped = self.frames.pop_front();
            self.first += 1;
            if let Some(Frame::Event(dropped)) = dropped
                && self.first > self.epoch_first
            {
                self.begins = dropped.cursor;
            }
        }
        self.frames.push_back(frame);
    }

    /// The number of the next frame.
    pub fn next(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// The frame with this number; an error if it isn't kept any more, and nothing if it hasn't come yet.
    pub fn frame(&self, number: u64) -> Result<Option<&Frame>, Dropped> {
        let index = number.checked_sub(self.first).ok_or(Dropped)?;
        Ok(self.frames.get(index as usize))
    }

    /// The number of the first frame behind a cursor of the present epoch; an error if frames behind it aren't kept.
    pub fn behind(&self, cursor: &Cursor) -> Result<u64, Dropped> {
        if self.begins.is_some_and(|begins| begins.epoch != cursor.epoch || cursor.order(&begins).is_lt()) {
            return Err(Dropped);
        }
        let is_before = |frame: &Frame| match frame {
            Frame::Event(event) => event.cursor.is_some_and(|at| at.order(cursor).is_le()),
            Frame::Missed(..) => true,
        };
        // The last of those before, because frames that come later may be before it too where events are missing.
        let of_epoch = self.epoch_first.saturating_sub(self.first) as usize;
        let behind = self.frames.iter().skip(of_epoch).rposition(is_before).map_or(0, |index| index + 1);
        Ok(self.first + (of_epoch + behind) as u64)
    }

    /// From now on the frames belong to another epoch, whose events before this cursor are not on the board.
    pub fn begin_epoch(&mut self, begins: Cursor) {
        (self.epoch_first, self.begins) = (self.next(), Some(begins));
    }

    /// Forgets everything: nobody reads any more.
    pub fn clear(&mut self) {
        *self = Self { first: self.next(), epoch_first: self.next(), is_draining: self.is_draining, ..Self::default() };
    }
}

/// The frame isn't kept any more.
#[derive(Debug)]
pub struct Dropped;

#[cfg(test)]
mod tests {
    use gorilla_domain::{
        ResourceName,
        event::{Change, EntryId, Event},
    };

    use super::*;

    fn cursor(epoch: u64, ms: u64) -> Cursor {
        let epoch = Epoch::new(epoch).expect("it fits");
        Cursor { epoch, entry: EntryId { ms, seq: 0 }, index: 0, derived: None }
    }

    fn frame(cursor: Cursor) -> Frame {
        let event = Event {
            resource: ResourceName::parse("a").expect("a name"),
            owner: "a".into(),
            fence: Some(1),
            id: None,
            at: DateTime::default(),
            change: Change::Released { held_ms: None },
        };
        Frame::Event(Arc::new(Recorded::new(event, Some(cursor))))
    }

    #[test]
    fn a_cursor_is_found_as_long_as_all_behind_it_is_kept() {
        let mut state = State::default();
        state.begin_epoch(cursor(1, 0));
        let all = KEPT as u64 + 10;
        for ms in 1..=all {
            state.push(frame(cursor(1, ms)));
        }
        assert_eq!(state.next(), all);
        assert!(state.behind(&cursor(1, 9)).is_err());
        assert_eq!(state.behind(&cursor(1, 10)).ok(), Some(10));
        assert_eq!(state.behind(&cursor(1, all)).ok(), Some(all));
        assert!(state.frame(9).is_err());
        assert!(
            state.frame(10).is_ok_and(|frame| frame.is_some()) && state.frame(all).is_ok_and(|frame| frame.is_none())
        );
    }

    #[test]
    fn frames_of_an_earlier_epoch_are_not_behind_a_cursor_of_the_present_one() {
        let mut state = State::default();
        state.begin_epoch(cursor(1, 0));
        state.push(frame(cursor(1, 900)));
        state.push(Frame::Missed(Missed::Failover, cursor(2, 5)));
        state.begin_epoch(cursor(2, 5));
        assert!(state.behind(&cursor(1, 899)).is_err());
        assert!(state.behind(&cursor(2, 4)).is_err());
        assert_eq!(state.behind(&cursor(2, 5)).ok(), Some(2));
        state.push(frame(cursor(2, 6)));
        assert_eq!(state.behind(&cursor(2, 5)).ok(), Some(2));
        assert_eq!(state.behind(&cursor(2, 6)).ok(), Some(3));
        state.clear();
        assert_eq!((state.next(), state.position), (3, None));
    }
}
