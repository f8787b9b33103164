//! The names of all keys in Redis, and nothing else.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::slots::tag_of;

/// Builds keys: `prefix:{resource}:what`. The braces make one resource one cluster slot.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The live grant, a hash. What else belongs to a lock has a key beside this one: `Sibling`.
    pub fn lock(&self, resource: impl AsRef<str>) -> String {
        let resource = resource.as_ref();
        let mut key = String::with_capacity(self.prefix.len() + resource.len() + 32);
        key.push_str(&self.prefix);
        key.push_str(":{");
        key.push_str(&encoded(resource));
        key.push_str("}:lock");
        key
    }

    /// The channel by which the waiters of a replica are woken. A channel is not a key, so it belongs to no slot.
    pub fn channel(&self, replica: &str) -> String {
        format!("{}:wake:{replica}", self.prefix)
    }

    /// The set of what an identity holds, if it may hold only so many locks. It is in no slot with the locks, so there is
    /// none in a cluster.
    pub fn held(&self, identity: &str) -> String {
        format!("{}:held:{identity}", self.prefix)
    }

    /// The key that says which incarnation the data is, and until when grants wait; a string. There is one for all
    /// locks; in a cluster one for each slot, because all keys of a script must be in one slot.
    pub fn incarnation(&self, slot: Option<u16>) -> String {
        self.of_slot(slot, "incarnation")
    }

    /// The key that `confirm` writes, so that replicas can confirm the write; a string. There is one for all locks or
    /// for each slot, likewise.
    pub fn confirmation(&self, slot: Option<u16>) -> String {
        self.of_slot(slot, "confirmation")
    }

    /// The stream that scripts record events in, while somebody listens. It is in no slot with the locks, so there is none
    /// in a cluster.
    pub fn events(&self) -> String {
        format!("{}:events", self.prefix)
    }

    /// Which epoch the events of that stream belong to, a hash.
    pub fn events_epoch(&self) -> String {
        format!("{}:events:epoch", self.prefix)
    }

    /// The stream in which replicas tell of themselves; one for all, also in a cluster.
    pub fn pulse(&self) -> String {
        format!("{}:pulse", self.prefix)
    }

    /// A glob that matches the locks of all resources whose names begin with `start`.
    pub fn locks_matching(&self, start: &str) -> String {
        let mut pattern = String::new();
        for part in [&self.prefix, ":{", &encoded(start)] {
            for character in part.chars() {
                if "*?[]^-\\".contains(character) {
                    pattern.push('\\');
                }
                pattern.push(character);
            }
        }
        pattern + "*}:lock"
    }

    /// The name of the resource that a lock's key belongs to.
    pub fn resource(&self, lock: &str) -> Option<String> {
        let encoded = lock.strip_prefix(&self.prefix)?.strip_prefix(":{")?.strip_suffix("}:lock")?;
        percent_decode_str(encoded).decode_utf8().ok().map(Into::into)
    }

    fn of_slot(&self, slot: Option<u16>, what: &str) -> String {
        match slot {
            None => format!("{}:{what}", self.prefix),
            Some(slot) => format!("{}:{{{}}}:{what}", self.prefix, tag_of(slot)),
        }
    }
}

/// A name in which `}`, which would end the hash tag early, and `%` are percent-encoded. Everything else stays as
/// people write it; a function for URLs would encode all that is not ASCII. Names have no control characters.
fn encoded(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| matches!(byte, b'{' | b'}' | b'%')) {
        return name.into();
    }
    name.replace('%', "%25").replace('{', "%7B").replace('}', "%7D").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sibling;

    /// Users and their tools read these keys, so this test pins them to the letter.
    #[test]
    fn keys_are_these_literals() {
        let keys = Keys::new("gorilla");
        let orders = keys.lock("orders");
        assert_eq!(orders, "gorilla:{orders}:lock");
        assert_eq!(Sibling::Fence.key(&orders), "gorilla:{orders}:fence");
        assert_eq!(Sibling::Queue.key(&orders), "gorilla:{orders}:queue");
        assert_eq!(Sibling::Turn.key(&orders), "gorilla:{orders}:queue:turn");
        assert_eq!(Sibling::Replaces("ci: main").key(&orders), "gorilla:{orders}:queue:replaces:ci: main");
        assert_eq!(keys.channel("4f3a"), "gorilla:wake:4f3a");
        assert_eq!(Sibling::Request("k1").key(&orders), "gorilla:{orders}:request:k1");
        assert_eq!(keys.lock("a{b}c%d e:f🦍"), "gorilla:{a%7Bb%7Dc%25d e:f🦍}:lock");
        assert_eq!(keys.held("orders-prod"), "gorilla:held:orders-prod");
        assert_eq!(keys.pulse(), "gorilla:pulse");
        assert_eq!(keys.incarnation(None), "gorilla:incarnation");
        assert_eq!(keys.incarnation(Some(9842)), "gorilla:{1}:incarnation");
        assert_eq!(keys.confirmation(None), "gorilla:confirmation");
        assert_eq!(keys.confirmation(Some(9842)), "gorilla:{1}:confirmation");
        assert_eq!(keys.events(), "gorilla:events");
        assert_eq!(keys.events_epoch(), "gorilla:events:epoch");
        assert_eq!(Sibling::Told.key(&orders), "gorilla:{orders}:told");
        assert_eq!(Sibling::Broken.key(&orders), "gorilla:{orders}:broken");
        assert_eq!(keys.locks_matching("a*"), "gorilla:{a\\**}:lock");
    }

    #[test]
    fn every_name_comes_back_from_its_key_and_no_two_share_one() {
        let keys = Keys::new("gorilla");
        let mut seen = std::collections::HashSet::new();
        for text in ["a", "{", "}", "%", "%7B", "{}", "}:lock", "a:{b}:lock", "a b", "🦍", "é", "*", "\\"] {
            let key = keys.lock(text);
            assert_eq!(keys.resource(&key), Some(text.to_string()), "{key}");
            assert!(seen.insert(key));
        }
    }
}
