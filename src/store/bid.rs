//! What an attempt to take a lock tells Redis with each of its calls.

use std::{sync::Arc, time::Duration};

use gorilla_domain::{Acquire, Replaces, Token, uuid_text};
use gorilla_scripts::{Keys, Rank, Try};
use uuid::Uuid;

use super::protocol;

/// An attempt's bid for a lock. The attempt shares it with the release that takes its claim along, so that a waiter
/// keeps it once.
pub struct Bid {
    /// The id of the attempt, and of the grant that it may get.
    pub id: String,
    /// The token that the lock gets.
    pub token: Token,
    /// What the client asks for.
    pub asked: Arc<Acquire>,
    /// The share of the lock that it wants, as scripts have it, if it wants to share the lock.
    pub share: Option<String>,
    /// The key of what its identity holds, if the identity may hold only so many locks.
    held: Option<String>,
}

impl Bid {
    /// A new attempt at what the client asks for.
    pub fn new(asked: &Arc<Acquire>, keys: &Keys) -> Arc<Self> {
        let id = uuid_text(Uuid::now_v7());
        let share = asked.mode.share();
        let token = share.map_or_else(Token::random, |_| Token::of_holder(&id));
        let limited = asked.taker.as_ref().filter(|taker| taker.max_held.is_some());
        let held = limited.map(|taker| keys.held(&taker.identity));
        Arc::new(Self { id, token, asked: Arc::clone(asked), share: share.map(protocol::share), held })
    }

    /// The first call of the attempt, for the replica with this channel. The attempt waits for so long, if at all.
    pub fn first_call<'a>(&'a self, channel: &'a str, wait: Duration) -> Try<'a> {
        // No message comes to a request that doesn't wait.
        Try(self.call(if wait.is_zero() { "" } else { channel }, wait))
    }

    /// The arguments of a script, for the replica with this channel. The attempt waits for so long from now, if at all.
    pub fn call<'a>(&'a self, channel: &'a str, wait: Duration) -> gorilla_scripts::Acquire<'a> {
        let Acquire { owner, lease, metadata, headstart, replaces, once, taker, .. } = &*self.asked;
        let (request, print) = protocol::record(once.as_ref());
        gorilla_scripts::Acquire {
            id: &self.id,
            token: self.token.expose(),
            owner: owner.as_str(),
            metadata: metadata.as_str(),
            lease: lease.as_millis(),
            request,
            print,
            wait: Some(wait.as_millis() as u64).filter(|wait| *wait > 0),
            channel,
            rank: (!headstart.is_zero() || replaces.is_some() || self.held.is_some()).then(|| Rank {
                headstart: headstart.as_micros() as u64,
                replaces: replaces.as_ref().map(Replaces::as_str),
                held: self.held.as_deref(),
                most: taker.as_ref().and_then(|taker| taker.max_held),
            }),
            by: taker.as_ref().map(|taker| taker.identity.as_str()),
        }
    }
}
