//! Has replicas of Redis confirm what was done, before it is answered: `lua/confirm.lua`, by way of `link::confirmer`.
//!
//! WAIT says how many replicas have received the writes of one connection. That means nothing if the server is not the
//! one that executed the command, but for example a new master that lacks its effect. A client can't see whether both
//! are one process in one role all the while. So the script looks whether the server **has the effect** of the command.
//! If it has, the effect comes before the script's own write in what this server sends to its replicas, however the
//! effect came there. So a replica that has confirmed the write has the effect too.

use bytes::Bytes;
use gorilla_domain::{Failure, Lock, Token};
use gorilla_scripts::{Confirm, ConfirmReply, Request, slot_of};

use crate::store::{base::Store, protocol};

/// What an operation made of a lock. A server that shows this effect has executed the operation.
#[derive(Clone, Copy)]
pub enum Effect<'a> {
    /// This grant has the lock.
    Granted(&'a Lock),
    /// The lock has this token.
    Extended(&'a Token),
    /// The lock with this token was last extended at this time, in milliseconds since 1970. Tells of an extend that has
    /// kept the token.
    Updated(&'a Token, i64),
    /// The lock, if there is one, doesn't have this token.
    Released(&'a Token),
    /// If there is a lock, another grant has it.
    Broken(&'a str),
    /// If a group shares the lock, this holder is not in it.
    Left(&'a str),
    /// The holder of the lock can't extend it any more.
    Breaking,
    /// If a group shares the lock, this holder can't extend it any more.
    Settled(&'a str),
}

impl Store {
    /// Waits until enough replicas of Redis have confirmed an effect. An error is an unknown outcome: too few did.
    pub(in crate::store) async fn confirmed(&self, lock: &str, effect: Effect<'_>) -> Result<(), Failure> {
        if self.replicas_wanted == 0 {
            return Ok(());
        }
        let confirmation = self.keys.confirmation(self.clustered.then(|| slot_of(lock)));
        // A text that is made here.
        let made;
        let (field, value, given) = match effect {
            Effect::Granted(Lock { token, tenure, .. }) => match token.of_shared() {
                Some((id, secret)) => (id, secret, true),
                None => ("id", tenure.id.as_str(), true),
            },
            Effect::Extended(token) => match token.of_shared() {
                Some((id, secret)) => (id, secret, true),
                None => ("token", token.expose(), true),
            },
            Effect::Updated(token, since_1970) => {
                made = since_1970.to_string();
                (token.of_shared().map_or("updated", |(id, _)| id), made.as_str(), true)
            }
            Effect::Released(token) => match token.of_shared() {
                Some((id, secret)) => (id, secret, false),
                None => ("token", token.expose(), false),
            },
            Effect::Broken(id) => ("id", id, false),
            Effect::Left(id) => (id, "", true),
            Effect::Breaking => ("breaking", "1", true),
            Effect::Settled(id) => {
                made = format!("{id}!");
                (made.as_str(), "breaking", true)
            }
        };
        let call = Confirm { field, value, given };
        let request = Request::new(&self.scripts, Some(lock.into()), &call).and(Some(confirmation));
        self.link.confirm(request, shows).await.map_err(Failure::Unknown)
    }
}

/// Whether the server has the effect.
fn shows(reply: Bytes) -> Result<(), String> {
    match protocol::read::<Confirm>(reply) {
        Ok(ConfirmReply::There) => Ok(()),
        Ok(ConfirmReply::Lost) => Err("its effect is not there any more".into()),
        Err(error) => Err(format!("its effect can't be confirmed: {:?}", Failure::from(error))),
    }
}
