//! Has replicas of Redis confirm what was done, before it is answered: `lua/confirm.lua` and Redis's WAIT.
//!
//! WAIT blocks its connection, so it gets one beside that of the commands, to each node. There it would cover what *that*
//! connection wrote, and nothing else: hence the script, which writes. It says how many replicas have got as far, which
//! means nothing if that server is another than the one that executed the command, such as a new master that lacks it.
//! Rather than prove that both are one process in one role all the while, which a client can't see, the script looks
//! whether the server **has the effect** of the command. Then it is before the write in what this server sends to its
//! replicas, by whichever way it came there, so whoever has confirmed the write has the effect too.
//!
//! The script and WAIT have to go over one connection. A client of one server, which doesn't reconnect, has but one. (A
//! server that is demoted, resynchronised and promoted again between the two, within a round trip and without closing
//! its connections, would not be noticed.)

use std::time::Duration;

use fred::types::{ConnectHandle, Resp3Frame};
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

use gorilla_scripts::{Confirm, ConfirmReply, Request, slot_of};

use super::{Store, link::Connection, protocol};
use crate::lock::Failure;

/// Successes that one round confirms at most.
const ROUND: usize = 1024;

/// What an operation has made of a lock, by which a server shows that it has executed it.
#[derive(Clone, Copy)]
pub enum Effect<'a> {
    /// The lock is that of this grant.
    Granted(&'a str),
    /// The lock has this token.
    Extended(&'a str),
    /// The lock, if there is one, doesn't have this token.
    Released(&'a str),
    /// The lock, if there is one, is not that of this grant.
    Broken(&'a str),
}

/// A success to be confirmed.
struct Claim {
    request: Request,
    answer: oneshot::Sender<Result<(), String>>,
}

/// The connection to a node over which successes are confirmed, many at once.
pub struct Confirmer(mpsc::UnboundedSender<Claim>);

/// What is to be confirmed by how many, and within which time.
#[derive(Clone)]
pub struct Terms {
    pub replicas: u32,
    pub patience: Duration,
}

impl Store {
    /// Returns once enough replicas of Redis have an effect, or that they don't, as an unknown outcome.
    pub(super) async fn confirmed(&self, lock: &str, effect: Effect<'_>) -> Result<(), Failure> {
        if self.replicas_wanted == 0 {
            return Ok(());
        }
        let confirmation = self.keys.confirmation(self.clustered.then(|| slot_of(lock)));
        let (field, value, given) = match effect {
            Effect::Granted(id) => ("id", id, true),
            Effect::Extended(token) => ("token", token, true),
            Effect::Released(token) => ("token", token, false),
            Effect::Broken(id) => ("id", id, false),
        };
        let call = Confirm { field, value, given };
        let request = Request::new(&self.scripts, Some(lock.into()), &call).and(Some(confirmation));
        self.link.confirm(request).await.map_err(Failure::Unknown)
    }
}

impl Confirmer {
    /// Confirms over a connection for as long as this value lives. `ended` is called if the connection ends before,
    /// with the reason.
    pub fn start(
        connection: Connection,
        mut router: ConnectHandle,
        terms: Terms,
        ended: impl FnOnce(&'static str) + Send + 'static,
    ) -> Self {
        let (sender, claims) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            tokio::select! {
                () = rounds(&connection, &terms, claims) => {}
                why = connection.watch(&mut router) => ended(why),
            }
            router.abort();
        });
        Self(sender)
    }

    /// Takes part in the next round. An error says what is missing.
    pub async fn confirm(&self, request: Request) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let closed = || "the connection that confirms was lost".to_string();
        self.0.send(Claim { request, answer }).map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// One round after the other: whoever comes during one is in the next.
async fn rounds(connection: &Connection, terms: &Terms, mut claims: mpsc::UnboundedReceiver<Claim>) {
    let mut round = Vec::new();
    while claims.recv_many(&mut round, ROUND).await > 0 {
        let shown = join_all(round.iter().map(|claim| shows(connection, claim))).await;
        // Not before the replies to the writes: what WAIT says is about those before it.
        let confirmed = if shown.iter().any(Result::is_ok) { wait(connection, terms).await } else { Ok(()) };
        for (claim, shown) in round.drain(..).zip(shown) {
            // Whoever asked may have gone.
            let _ = claim.answer.send(shown.and_then(|()| confirmed.clone()));
        }
    }
}

/// Whether the server has the effect.
async fn shows(connection: &Connection, claim: &Claim) -> Result<(), String> {
    match connection.run(None, &claim.request).await.and_then(protocol::read::<Confirm>) {
        Ok(ConfirmReply::There) => Ok(()),
        Ok(ConfirmReply::Lost) => Err("it is not there any more".into()),
        Err(failure) => Err(format!("it can't be confirmed: {failure:?}")),
    }
}

async fn wait(connection: &Connection, Terms { replicas, patience, .. }: &Terms) -> Result<(), String> {
    // 0 would be for ever.
    let patience = patience.as_millis().max(1) as i64;
    match connection.send(None, "WAIT", vec![i64::from(*replicas).into(), patience.into()]).await {
        Ok(Resp3Frame::Number { data, .. }) if data >= i64::from(*replicas) => Ok(()),
        Ok(Resp3Frame::Number { data, .. }) => Err(format!("{data} of {replicas} replicas confirmed it")),
        Ok(_) => Err("WAIT was not answered with a number".into()),
        Err(failure) => Err(format!("WAIT failed: {failure:?}")),
    }
}
