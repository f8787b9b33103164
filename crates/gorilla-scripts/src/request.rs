//! What Gorilla sends to Redis to have a script run, for one request or for many at once.

use std::sync::Arc;

use redis_protocol::bytes::Bytes;

use crate::{
    call::Call,
    sibling::Sibling,
    text::{Script, Scripts},
};

/// A call of a script, packed.
#[derive(Clone)]
pub struct Request {
    /// Which script.
    pub script: Arc<Script>,
    /// The key of the lock, if the call is about a lock.
    lock: Option<Bytes>,
    /// Keys behind the lock, as the script's header lists them.
    others: Vec<Bytes>,
    arguments: Bytes,
}

impl Request {
    /// A call about the lock at this key.
    pub fn new<C: Call>(scripts: &Scripts, lock: Option<String>, call: &C) -> Self {
        // Most calls have a few texts of 36 characters.
        let mut arguments = Vec::with_capacity(256);
        call.pack(&mut arguments);
        let script = Arc::clone(C::script(scripts));
        Self { script, lock: lock.map(Bytes::from), others: Vec::new(), arguments: arguments.into() }
    }

    /// The same with one more key behind the lock.
    pub fn and(mut self, key: Option<String>) -> Self {
        self.others.extend(key.map(Bytes::from));
        self
    }

    /// The same, naming all keys that the script touches. A Cluster then refuses the call before it runs if a key is at
    /// another node. Otherwise a slot that moves could stop the script in its middle.
    pub fn with_siblings<C: Call>(mut self, call: &C) -> Self {
        let lock = self.lock.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        self.others.extend(call.touches().into_iter().map(|sibling: Sibling| Bytes::from(sibling.key(&lock))));
        self
    }

    /// The key that decides the node of a Cluster.
    pub fn first_key(&self) -> Option<&[u8]> {
        self.lock.as_deref().or(self.others.first().map(|key| &**key))
    }
}

/// All keys of requests that go together (they share their script), and the one argument that has all the calls: how many
/// there are, and what each has packed.
pub fn together<'a>(requests: impl ExactSizeIterator<Item = &'a Request> + Clone) -> (Vec<Bytes>, Bytes) {
    let count = requests.len();
    let mut keys: Vec<_> = requests.clone().filter_map(|request| request.lock.clone()).collect();
    if let Some(first) = requests.clone().next() {
        keys.extend(first.others.iter().cloned());
    }
    let mut packed = Vec::with_capacity(3 + requests.clone().map(|request| request.arguments.len()).sum::<usize>());
    // A number can always be packed.
    let _ = rmp_serde::encode::write(&mut packed, &count);
    requests.for_each(|request| packed.extend_from_slice(&request.arguments));
    (keys, packed.into())
}
