//! Messages: a connection listens to the channel of its replica.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fred::{interfaces::PubsubInterface, types::Message};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout_at,
};

use super::{Connection, Link};
use crate::{
    lock::Failure,
    store::{explain::explain, lines::Lines, ready},
};

/// What a new connection tells itself, and how long it waits until it tells it again.
const HELLO: &str = "hello";
const HELLO_AGAIN: Duration = Duration::from_millis(50);

/// Subscribes to the channel, and hears a message of its own: fred doesn't wait for what Redis says to SUBSCRIBE. Without
/// the right to it no waiter would be woken, and Redis's refusal could be taken for the reply to another command.
pub async fn begin(link: &Link, connection: &Connection, messages: &mut Receiver<Message>) -> Result<(), String> {
    let refused = |why: String| {
        let pattern = link.channel.rsplit_once(':').map_or("", |(start, _)| start);
        format!("Redis refuses SUBSCRIBE {} ({why}); the user needs &{pattern}:* +subscribe +publish", link.channel)
    };
    connection.client.subscribe(link.channel.as_str()).await.map_err(|error| refused(explain(&error)))?;
    let hear = async {
        loop {
            let hello = vec![link.channel.as_str().into(), HELLO.into()];
            connection.send(None, "PUBLISH", hello).await.map_err(|failure| match failure {
                Failure::Broken(why) => refused(why),
                failure => ready::reason(failure),
            })?;
            // In a Cluster the message may have overtaken the subscription, which went to another node.
            let again = Instant::now() + HELLO_AGAIN;
            while let Ok(message) = timeout_at(again.into(), messages.recv()).await {
                match message.map(|message| message.value.as_string().unwrap_or_default()) {
                    Ok(text) if text == HELLO => return Ok(()),
                    Ok(text) => link.lines.message(&text),
                    // All waiters ask anew when the connection is there.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err("Redis closed the connection".into()),
                }
            }
        }
    };
    tokio::time::timeout(link.settings.connect_timeout, hear)
        .await
        .unwrap_or_else(|_| Err(refused("no message came".into())))
}

/// Passes messages on.
pub async fn pass_on(mut messages: Receiver<Message>, lines: Arc<Lines>) {
    loop {
        match messages.recv().await {
            Ok(message) => lines.message(&message.value.as_str().unwrap_or_default()),
            Err(RecvError::Lagged(_)) => lines.call_all(),
            Err(RecvError::Closed) => return,
        }
    }
}
