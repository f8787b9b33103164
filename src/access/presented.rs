//! What a connection presented last, so that a client that keeps its connection has its key hashed once.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use constant_time_eq::constant_time_eq;
use zeroize::Zeroizing;

use super::identity::Identity;

/// In bytes. Longer credentials are valid too, if spaces stand around the key, but they are not kept.
const LONGEST: usize = 128;

/// The credentials that one connection presented last, and whom they identified. A load balancer may send requests of
/// many callers over one connection, so they count only for a request that presents exactly the same.
///
/// They are kept as they came, and overwritten in memory when others take their place and when the connection ends. A
/// digest that is cheap enough to be made for each request would be easier to guess than a key.
#[derive(Default)]
pub struct Presented(Mutex<Option<Box<Known>>>);

/// Credentials, and whom they identified.
struct Known {
    credentials: Zeroizing<Vec<u8>>,
    identity: Arc<Identity>,
}

impl Presented {
    /// Whom these credentials identified when they came last. That may have changed since. How long this takes says
    /// nothing of where the credentials differ from those that are kept.
    pub fn recall(&self, credentials: &[u8]) -> Option<Arc<Identity>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.as_ref().filter(|known| constant_time_eq(&known.credentials, credentials));
        same.map(|known| Arc::clone(&known.identity))
    }

    /// Keeps whom these credentials identify, in place of those before.
    pub fn remember(&self, credentials: &[u8], identity: &Arc<Identity>) {
        let keep = || {
            let credentials = Zeroizing::new(credentials.to_vec());
            Box::new(Known { credentials, identity: Arc::clone(identity) })
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (credentials.len() <= LONGEST).then(keep);
    }

    /// Forgets what it keeps.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Presented(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::access::{Access, Key};

    fn identity() -> Arc<Identity> {
        let key = Key::generate().expect("random digits");
        let role = "[[role]]\nname = \"r\"\nrules = []\n";
        let text = format!("{role}[[key]]\nname = \"k\"\nrole = \"r\"\nhashes = [\"{}\"]\n", key.digest());
        let (access, _) = Access::parse(&text).expect("valid");
        access.identify(key.as_str(), SystemTime::now()).expect("it is known")
    }

    #[test]
    fn only_the_same_credentials_are_recalled_and_only_the_last_ones() {
        let (presented, one, other) = (Presented::default(), identity(), identity());
        assert!(presented.recall(b"").is_none() && presented.recall(b"Bearer one").is_none());
        presented.remember(b"Bearer one", &one);
        assert!(presented.recall(b"Bearer one").is_some_and(|known| Arc::ptr_eq(&known, &one)));
        for different in [&b"Bearer onf"[..], b"Cearer one", b"Bearer on", b"Bearer one ", b"bearer one", b""] {
            assert!(presented.recall(different).is_none(), "{different:?}");
        }
        presented.remember(b"Bearer two", &other);
        assert!(presented.recall(b"Bearer two").is_some_and(|known| Arc::ptr_eq(&known, &other)));
        assert!(presented.recall(b"Bearer one").is_none());
        presented.forget();
        assert!(presented.recall(b"Bearer two").is_none());
    }

    #[test]
    fn long_credentials_are_not_kept_and_push_the_others_out() {
        let (presented, one) = (Presented::default(), identity());
        presented.remember(b"Bearer one", &one);
        let long = [b' '; LONGEST + 1];
        presented.remember(&long, &one);
        assert!(presented.recall(&long).is_none() && presented.recall(b"Bearer one").is_none());
        presented.remember(&long[1..], &one);
        assert!(presented.recall(&long[1..]).is_some());
    }

    #[test]
    fn debug_hides_the_credentials() {
        let presented = Presented::default();
        presented.remember(b"Bearer one", &identity());
        assert_eq!(format!("{presented:?}"), "Presented(hidden)");
    }
}
