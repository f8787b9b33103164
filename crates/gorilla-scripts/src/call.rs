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

    /// Packs the arguments as MessagePack, one behind another, in the order of the script's header. A call whose struct
    /// has other calls in it packs them one behind another itself: serde makes a list of each.
    fn pack(&self, into: &mut Vec<u8>) {
        pack_fields(self, into);
    }

    /// Reads what follows the name of the outcome.
    fn reply(outcome: &str, reader: &mut Reader) -> Result<Self::Reply, Malformed>;
}

/// Packs the fields of a struct, one behind another in their order; a nil for a struct without fields.
pub(crate) fn pack_fields(call: &(impl Serialize + ?Sized), into: &mut Vec<u8>) {
    const EMPTY_LIST: u8 = 0x90;
    const NIL: u8 = 0xc0;
    let head = into.len();
    // A struct of texts and numbers can always be packed. It becomes a list, whose head has one byte for up to 15 items.
    let _ = rmp_serde::encode::write(into, call);
    match into.get_mut(head) {
        Some(byte) if *byte == EMPTY_LIST => *byte = NIL,
        Some(_) => drop(into.remove(head)),
        None => {}
    }
}
