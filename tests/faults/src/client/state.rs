//! What a client knows.

use std::sync::Arc;

use super::wishes::Share;
use crate::{
    history::{Grant, Moment},
    world::World,
};

/// How often a request of unknown outcome is sent again.
pub(super) const RETRIES: u32 = 6;

/// One client.
pub struct Client {
    pub(super) world: Arc<World>,
    pub(super) random: fastrand::Rng,
    pub(super) name: String,
    /// It hangs up during one in so many acquires.
    pub(super) hangs_up: u32,
    /// It always waits, for one lock that it holds for long, and rests for long.
    pub(super) is_patient: bool,
    /// Tokens that must not act any more: of which resource, of which grant, and the token.
    pub(super) stale: Vec<(String, u64, String)>,
}

/// What it holds.
pub(super) struct Held {
    pub(super) asked: Asked,
    pub(super) grant: Grant,
    pub(super) token: String,
    pub(super) valid_until: Moment,
}

/// What it asked for.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) resource: String,
    pub(super) owner: String,
    pub(super) key: Option<String>,
    /// In milliseconds.
    pub(super) lease: u64,
    /// In milliseconds.
    pub(super) wait: u64,
    /// What it wants of a shared lock; `None` to have the lock alone.
    pub(super) share: Option<Share>,
}
