//! The held locks, page by page.

use std::{fmt, str::FromStr};

use crate::{ResourceName, Scope, State};

/// Where the next page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the part of the store; the parts have a steady order.
    pub part: usize,
    /// Where in that part, as the store counts.
    pub position: u64,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Those first for which the most requests wait.
    Waiting,
    /// Those first that have been held for the longest.
    Age,
    /// Those first whose lease ends first.
    Left,
    /// By name.
    Name,
}

/// Some held locks.
#[derive(Clone, Debug)]
pub struct Page {
    /// Each lock with its name. Locks that ended meanwhile or can't be read are left out.
    pub locks: Vec<(ResourceName, State)>,
    /// Which of the locks that were asked for the caller may see. Nothing: all.
    pub scope: Option<Scope>,
    /// Where the next page begins, if there is more to look at.
    pub next: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-{}", self.part, self.position)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (part, position) = text.split_once('-').ok_or(())?;
        Ok(Self { part: part.parse().map_err(|_| ())?, position: position.parse().map_err(|_| ())? })
    }
}
