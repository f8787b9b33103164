//! Reads the state of a lock: `lua/inspect.lua`.

use gorilla_domain::{Failure, ResourceName, State, Token};
use gorilla_scripts::{Inspect, InspectReply};

use crate::store::{base::Store, error::Error, protocol};

impl Store {
    /// Who holds a lock, and whether `token` is its current one.
    pub async fn inspect(&self, resource: &ResourceName, token: Option<&Token>) -> Result<State, Failure> {
        Ok(self.look_at(resource, token).await?)
    }

    /// The same; an error says why there is no outcome.
    pub(super) async fn look_at(&self, resource: &ResourceName, token: Option<&Token>) -> Result<State, Error> {
        let call = Inspect { token: token.map(Token::expose) };
        Ok(match self.run(&self.keys.lock(resource), &call).await? {
            InspectReply::Held { own, tenure, waiting } => {
                State::Held { own, tenure: protocol::tenure(tenure)?, waiting }
            }
            InspectReply::Free { waiting } => State::Free { waiting },
        })
    }
}
