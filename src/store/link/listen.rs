//! Takes messages: a connection listens to the channel of its replica.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fred::types::Message;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout_at,
};

use super::{connection::Connection, error::Error, events::Events};

/// The message that a new connection sends to itself, and how long it waits until it sends it again.
const HELLO: &str = "hello";
const HELLO_AGAIN: Duration = Duration::from_millis(50);

/// Subscribes to the channel, and waits for a message of its own, because fred doesn't wait for the reply to SUBSCRIBE.
/// Without the right to SUBSCRIBE no message would wake a waiter, and fred could take the refusal of Redis for the
/// reply to another command.
pub async fn begin(
    channel: &str,
    patience: Duration,
    connection: &Connection,
    messages: &mut Receiver<Message>,
    events: &dyn Events,
) -> Result<(), String> {
    let refused = |why: String| {
        let pattern = channel.rsplit_once(':').map_or("", |(start, _)| start);
        format!("Redis refuses SUBSCRIBE {channel} ({why}); the user needs &{pattern}:* +subscribe +publish")
    };
    connection.subscribe(channel).await.map_err(refused)?;
    let hear = async {
        loop {
            let hello = vec![channel.into(), HELLO.into()];
            connection.send(None, "PUBLISH", hello).await.map_err(|error| match error {
                error @ (Error::Failed(_) | Error::Unexpected(_)) => refused(error.to_string()),
                error => error.to_string(),
            })?;
            // In a Cluster the message may have come before the subscription, which went to another node.
            let again = Instant::now() + HELLO_AGAIN;
            while let Ok(message) = timeout_at(again.into(), messages.recv()).await {
                match message.map(|message| message.value.as_string().unwrap_or_default()) {
                    Ok(text) if text == HELLO => return Ok(()),
                    Ok(text) => events.message(&text),
                    // All waiters ask again when the connection is ready.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err("Redis closed the connection".into()),
                }
            }
        }
    };
    tokio::time::timeout(patience, hear).await.unwrap_or_else(|_| Err(refused("no message came".into())))
}

/// Passes messages on to the waiters.
pub async fn pass_on(mut messages: Receiver<Message>, events: Arc<dyn Events>) {
    loop {
        match messages.recv().await {
            Ok(message) => events.message(&message.value.as_str().unwrap_or_default()),
            Err(RecvError::Lagged(_)) => events.messages_lost(),
            Err(RecvError::Closed) => return,
        }
    }
}
