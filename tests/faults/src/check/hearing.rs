//! Puts together what each listener was told: pieces between which it was told that events are missing. Within a piece each
//! event is told once, and the same as to others.

use std::collections::HashMap;

use super::{
    Violation,
    mistold::{Mistold, MistoldTo},
};
use crate::{
    heard::{Happened, Heard, Told},
    history::{History, Moment},
};

/// What a listener was told without a gap.
pub(super) struct Piece<'a> {
    /// Whose it is.
    pub(super) listener: u64,
    /// When the listener was told that this begins: what was asked for later is in it.
    pub(super) began: Moment,
    /// Each event once, with when the listener was told first.
    pub(super) events: Vec<(Moment, &'a Happened)>,
}

/// How far a listener is in a piece.
struct Place<'a> {
    piece: Piece<'a>,
    /// How many events of the piece stand before what it is told next.
    next: usize,
    /// By cursor: how many events stand up to there.
    known: HashMap<&'a str, usize>,
    /// The grants of the piece.
    granted: HashMap<&'a str, Vec<u64>>,
    /// By election: the last term.
    terms: HashMap<&'a str, u64>,
}

impl<'a> Place<'a> {
    fn new(listener: u64, began: Moment) -> Self {
        let piece = Piece { listener, began, events: Vec::new() };
        Self { piece, next: 0, known: HashMap::new(), granted: HashMap::new(), terms: HashMap::new() }
    }

    fn take(&mut self, at: Moment, event: &'a Happened, found: &mut Vec<Violation>) {
        let fence = event.fence.unwrap_or_default();
        let has_grant = |fences: &Vec<u64>| fences.contains(&fence);
        // A replica derives the end of a grant that was not recorded only if it has found the grant itself.
        if event.is_derived() && !self.granted.get(event.resource.as_str()).is_some_and(has_grant) {
            return;
        }
        let mut mistold = |what| {
            let (listener, resource) = (self.piece.listener, event.resource.clone());
            found.push(Violation::Mistold(MistoldTo { listener, resource, fence, what }));
        };
        let (cursor, before) = (&event.cursor, self.known.get(event.cursor.as_str()).copied());
        match (self.piece.events.get(self.next), before) {
            (Some((_, expected)), _) if is_same(expected, event) => {
                self.next += 1;
                return;
            }
            (Some((_, expected)), _) => {
                mistold(Mistold::Different { cursor: expected.cursor.clone(), instead: cursor.clone() });
            }
            (None, Some(_)) => mistold(Mistold::Twice { cursor: cursor.clone() }),
            (None, None) => {}
        }
        // From here on it is judged by what was told now.
        self.next = before.unwrap_or_else(|| {
            self.piece.events.push((at, event));
            self.known.insert(cursor, self.piece.events.len());
            if event.kind == "granted" {
                self.granted.entry(&event.resource).or_default().push(fence);
            }
            self.piece.events.len()
        });
    }

    /// While a listener is told again what it was told before, terms are those of before.
    fn leads(&mut self, resource: &'a str, term: u64, found: &mut Vec<Violation>) {
        let last = self.terms.entry(resource).or_default();
        if self.next < self.piece.events.len() {
            return;
        }
        if term < *last {
            let (listener, resource, what) =
                (self.piece.listener, resource.to_string(), Mistold::TermBack { later: *last });
            found.push(Violation::Mistold(MistoldTo { listener, resource, fence: term, what }));
        }
        *last = term.max(*last);
    }
}

/// The pieces of each listener, in order.
pub(super) fn pieces<'a>(history: &'a History, found: &mut Vec<Violation>) -> Vec<Vec<Piece<'a>>> {
    let mut listeners: HashMap<u64, Vec<&Heard>> = HashMap::new();
    for heard in history.heard() {
        listeners.entry(heard.listener).or_default().push(heard);
    }
    let mut listeners: Vec<_> = listeners.into_iter().collect();
    listeners.sort_by_key(|(listener, _)| *listener);
    let pieces = listeners.into_iter().map(|(listener, mut heard)| {
        heard.sort_by_key(|heard| heard.number);
        pieces_of(listener, &heard, found)
    });
    pieces.collect()
}

fn pieces_of<'a>(listener: u64, heard: &[&'a Heard], found: &mut Vec<Violation>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut place: Option<Place> = None;
    for Heard { at, told, .. } in heard {
        if let Told::Began | Told::Missed { .. } = told {
            pieces.extend(place.replace(Place::new(listener, *at)).map(|ended| ended.piece));
            continue;
        }
        let Some(here) = &mut place else { continue };
        match told {
            Told::Resumed { since } => here.next = here.known.get(since.as_str()).copied().unwrap_or(here.next),
            Told::Position { cursor } => {
                here.known.entry(cursor).or_insert(here.next);
            }
            Told::Happened(event) => here.take(*at, event, found),
            Told::Leads { resource, term } => here.leads(resource, *term, found),
            Told::Began | Told::Missed { .. } => {}
        }
    }
    pieces.extend(place.map(|ended| ended.piece));
    pieces
}

/// Whether two events are one, told twice. Replicas that have asked Redis about a lease may differ in when it ended.
fn is_same(one: &Happened, other: &Happened) -> bool {
    (&one.cursor, &one.kind, one.fence, &one.owner) == (&other.cursor, &other.kind, other.fence, &other.owner)
}

/// Where two listeners were told of the same time, they were told the same. Ends that replicas derive are left out: each
/// listener is told those of grants that it was told of.
pub(super) fn compare(pieces: &[Vec<Piece>], found: &mut Vec<Violation>) {
    let [first, second] = pieces else { return };
    let second: Vec<_> = second.iter().map(|piece| (piece.listener, recorded(piece))).collect();
    for one in first.iter().map(recorded) {
        let places: HashMap<_, _> = (0..).zip(&one).map(|(index, event)| (&event.cursor, index)).collect();
        for (listener, other) in &second {
            let common = (0..).zip(other).find_map(|(at, event)| Some((*places.get(&event.cursor)?, at)));
            let Some((begin, at)) = common else { continue };
            // One of them begins there.
            let (begin, at) = if begin > 0 && at > 0 { (begin - 1, at - 1) } else { (begin, at) };
            let mut both = one[begin..].iter().zip(&other[at..]);
            if let Some((of_one, of_other)) = both.find(|(of_one, of_other)| !is_same(of_one, of_other)) {
                let (resource, fence) = (of_other.resource.clone(), of_other.fence.unwrap_or_default());
                let what = Mistold::Different { cursor: of_one.cursor.clone(), instead: of_other.cursor.clone() };
                found.push(Violation::Mistold(MistoldTo { listener: *listener, resource, fence, what }));
            }
        }
    }
}

fn recorded<'a>(piece: &Piece<'a>) -> Vec<&'a Happened> {
    piece.events.iter().map(|(_, event)| *event).filter(|event| !event.is_derived()).collect()
}
