//! Inspect: `lua/inspect.lua`.

use gorilla_scripts::{Inspect, InspectReply};

use super::{Store, protocol};
use crate::lock::{Failure, ResourceName, State, Token};

impl Store {
    /// Who holds a lock, and whether `token` is its current one.
    pub async fn inspect(&self, resource: &ResourceName, token: Option<&Token>) -> Result<State, Failure> {
        let call = Inspect { token: token.map(Token::expose) };
        Ok(match self.run(&self.keys.lock(resource), &call).await? {
            InspectReply::Held { own, tenure, waiting } => {
                State::Held { own, tenure: protocol::tenure(tenure)?, waiting }
            }
            InspectReply::Free { waiting } => State::Free { waiting },
        })
    }
}
