//! Has replicas of Redis confirm what was written, many writes at once: Redis's WAIT.
//!
//! WAIT blocks its connection, so Gorilla opens a connection for WAIT to each node, beside that of the commands. WAIT
//! covers only what *its own* connection wrote. So each confirmation sends a request over that connection, which
//! writes, and looks whether the server has what is to be confirmed. The request and WAIT must go over one connection.
//! A client of one server that doesn't reconnect has only one. (Gorilla would not notice a server that is demoted,
//! resynchronised and promoted again between the two, within a round trip and without closing its connections.)

use std::time::Duration;

use bytes::Bytes;
use fred::types::{ConnectHandle, Resp3Frame};
use futures_util::future::join_all;
use gorilla_scripts::Request;
use tokio::sync::{mpsc, oneshot};

use super::connection::Connection;

/// Successes that one round confirms at most.
const ROUND: usize = 1024;

/// How many replicas confirm, and within which time.
#[derive(Clone)]
pub struct RequiredAcks {
    /// How many.
    pub replicas: u32,
    /// How long to wait for them.
    pub patience: Duration,
}

/// Reads the reply to a request: whether the server has what is to be confirmed, or what is missing.
pub type Shows = fn(Bytes) -> Result<(), String>;

/// Something to be confirmed.
struct Claim {
    request: Request,
    shows: Shows,
    answer: oneshot::Sender<Result<(), String>>,
}

/// The connection to a node over which successes are confirmed.
pub struct Confirmer(mpsc::UnboundedSender<Claim>);

impl Confirmer {
    /// Confirms over a connection as long as this value lives. If the connection ends earlier, calls `ended` with the
    /// reason.
    pub fn start(
        connection: Connection,
        mut router: ConnectHandle,
        required: RequiredAcks,
        ended: impl FnOnce(&'static str) + Send + 'static,
    ) -> Self {
        let (sender, claims) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            tokio::select! {
                () = rounds(&connection, &required, claims) => {}
                why = connection.watch(&mut router) => ended(why),
            }
            router.abort();
        });
        Self(sender)
    }

    /// Takes part in the next round. An error says what is missing.
    pub async fn confirm(&self, request: Request, shows: Shows) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let closed = || "the connection that confirms was lost".to_string();
        self.0.send(Claim { request, shows, answer }).map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// Confirms in rounds. A claim that comes during a round is in the next one.
async fn rounds(connection: &Connection, required: &RequiredAcks, mut claims: mpsc::UnboundedReceiver<Claim>) {
    let mut round = Vec::new();
    while claims.recv_many(&mut round, ROUND).await > 0 {
        let shown = join_all(round.iter().map(|claim| has_it(connection, claim))).await;
        // WAIT comes only after the replies to the writes, because it covers the writes before it.
        let confirmed = if shown.iter().any(Result::is_ok) { wait(connection, required).await } else { Ok(()) };
        for (claim, shown) in round.drain(..).zip(shown) {
            // The caller may have gone.
            let _ = claim.answer.send(shown.and_then(|()| confirmed.clone()));
        }
    }
}

/// Whether the server has what is to be confirmed.
async fn has_it(connection: &Connection, claim: &Claim) -> Result<(), String> {
    match connection.run(None, &claim.request).await {
        Ok(reply) => (claim.shows)(reply),
        Err(error) => Err(format!("it can't be confirmed: {error}")),
    }
}

async fn wait(connection: &Connection, RequiredAcks { replicas, patience }: &RequiredAcks) -> Result<(), String> {
    // With 0, WAIT would wait for ever.
    let patience = patience.as_millis().max(1) as i64;
    match connection.send(None, "WAIT", vec![i64::from(*replicas).into(), patience.into()]).await {
        Ok(Resp3Frame::Number { data, .. }) if data >= i64::from(*replicas) => Ok(()),
        Ok(Resp3Frame::Number { data, .. }) => Err(format!("{data} of {replicas} replicas confirmed it")),
        Ok(_) => Err("WAIT was not answered with a number".into()),
        Err(error) => Err(format!("WAIT failed: {error}")),
    }
}
