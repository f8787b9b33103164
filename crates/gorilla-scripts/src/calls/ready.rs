//! The call of `lua/ready.lua`.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    call::Call,
    reply::{Malformed, Reader, unexpected},
    sibling::Sibling,
    text::{Script, Scripts},
};

/// What `ready` is called with. It concerns no lock.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ready {}

impl Call for Ready {
    type Reply = ();

    const NAME: &'static str = "ready";

    fn script(scripts: &Scripts) -> &Arc<Script> {
        &scripts.ready
    }

    fn touches(&self) -> Vec<Sibling<'_>> {
        Vec::new()
    }

    fn reply(outcome: &str, _: &mut Reader) -> Result<(), Malformed> {
        if outcome == "ready" { Ok(()) } else { unexpected(outcome) }
    }
}
