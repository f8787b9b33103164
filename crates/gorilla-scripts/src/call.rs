//! What every call of a script has in common.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    reply::{Malformed, Reader},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What a script is called with.
pub trait Call: Serialize {
    /// What it replies.
    type Reply;

    /// The name of its file in `lua/`, for people.
    const NAME: &'static str;

    /// Which script.
    fn script(scripts: &Scripts) -> &Arc<Script>;

    /// The keys beside the lock that the script touches.
    fn touches(&self) -> Vec<Sibling<'_>>;

    /// Reads what follows the name of the outcome.
    fn reply(outcome: &str, reader: &mut Reader) -> Result<Self::Reply, Malformed>;
}
