//! Inspect: `lua/inspect.lua`.

use super::{
    Store,
    reply::{Reply, unexpected},
};
use crate::lock::{Failure, ResourceName, State, Token};

impl Store {
    /// Who holds a lock, and whether `token` is its current one.
    pub async fn inspect(&self, resource: &ResourceName, token: Option<&Token>) -> Result<State, Failure> {
        let keys = [self.keys.lock(resource), self.keys.queue(resource)];
        let keys = keys.each_ref().map(String::as_str);
        let args = [token.map_or("", Token::expose)];
        let (outcome, mut reply) = Reply::open(self.link.call(&self.scripts.inspect, &keys, &args).await?)?;
        match outcome.as_str() {
            "held" => {
                let own = reply.number::<i64>()? == 1;
                Ok(State::Held { own, tenure: reply.tenure()?, waiting: reply.number()? })
            }
            "free" => Ok(State::Free { waiting: reply.number()? }),
            other => Err(unexpected(other)),
        }
    }
}
