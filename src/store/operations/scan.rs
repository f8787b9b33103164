//! Finds the keys of held locks, step by step, and looks at many locks.

use fred::types::Resp3Frame;
use futures_util::future::join_all;
use gorilla_domain::{Cursor, Failure, ResourceName, State};
use tracing::warn;

use crate::store::{base::Store, link};

/// How many locks are looked at together. More would have other requests refused meanwhile.
const AT_ONCE: usize = 256;

impl Store {
    /// Takes a step of a walk over all locks whose names begin with `start`: looks at about so many keys, and tells the
    /// locks among them, and where the next step begins, if there is one. A lock that is held from the first step to the
    /// last is told at least once, as SCAN guarantees.
    pub async fn scan(
        &self,
        start: &str,
        from: Cursor,
        keys: usize,
    ) -> Result<(Vec<ResourceName>, Option<Cursor>), Failure> {
        let nodes = self.link.nodes()?;
        let Some(server) = nodes.get(from.part) else { return Ok((Vec::new(), None)) };
        let args = vec![
            from.position.to_string().into(),
            "MATCH".into(),
            self.keys.locks_matching(start).into(),
            "COUNT".into(),
            (keys as i64).into(),
        ];
        let (position, keys) = scanned(self.link.command(server.clone(), "SCAN", args).await?)?;
        let found = keys.iter().filter_map(|key| ResourceName::parse(&self.keys.resource(key)?).ok()).collect();
        let next = match position {
            0 if from.part + 1 < nodes.len() => Some(Cursor { part: from.part + 1, position: 0 }),
            0 => None,
            position => Some(Cursor { position, ..from }),
        };
        Ok((found, next))
    }

    /// The states of these locks, of a shared lock with at most so many holders. Locks that nobody holds are left out.
    pub async fn look_at_all(
        &self,
        names: Vec<ResourceName>,
        most: u64,
    ) -> Result<Vec<(ResourceName, State)>, Failure> {
        let mut states = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            states.extend(join_all(some.iter().map(|name| self.look_at(name, most))).await);
        }
        let mut held = Vec::with_capacity(names.len());
        for (name, state) in names.into_iter().zip(states) {
            match state {
                Ok(State::Free { .. }) => {}
                Ok(state) => held.push((name, state)),
                // A key that was changed by hand must not hide all other locks.
                Err(error) if error.is_of_its_keys() => {
                    warn!(resource = name.as_str(), ?error, "a lock that can't be read is left out of a list");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(held)
    }

    /// How many keys Redis has, those that are no locks included.
    pub async fn keys(&self) -> Result<u64, Failure> {
        let mut all = 0;
        for node in self.link.nodes()? {
            let reply = self.link.command(node, "DBSIZE", vec![]).await?;
            let Resp3Frame::Number { data, .. } = reply else {
                return Err(link::Error::Unexpected("Redis did not reply to DBSIZE with a number").into());
            };
            all += u64::try_from(data).unwrap_or_default();
        }
        Ok(all)
    }
}

/// The reply of SCAN: the cursor of the next step, and keys.
fn scanned(frame: Resp3Frame) -> Result<(u64, Vec<String>), link::Error> {
    let text = |frame: &Resp3Frame| match frame {
        Resp3Frame::BlobString { data, .. } => std::str::from_utf8(data).ok().map(String::from),
        _ => None,
    };
    let Resp3Frame::Array { data, .. } = &frame else { return Err(malformed()) };
    let [cursor, Resp3Frame::Array { data: keys, .. }] = data.as_slice() else { return Err(malformed()) };
    let cursor = text(cursor).and_then(|cursor| cursor.parse().ok()).ok_or_else(malformed)?;
    // A key that is not UTF-8 is not a key of Gorilla.
    Ok((cursor, keys.iter().filter_map(text).collect()))
}

fn malformed() -> link::Error {
    link::Error::Unexpected("Redis did not reply to SCAN with a cursor and keys")
}
