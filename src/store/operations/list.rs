//! Lists the held locks page by page, with SCAN.

use fred::types::Resp3Frame;
use futures_util::future::join_all;
use gorilla_domain::{Cursor, Failure, List, Page, ResourceName, Scope, State};
use tracing::warn;

use crate::store::{base::Store, link};

/// SCAN steps that a page may take. Each step looks at about as many keys as the page has room for. Bounds the work of
/// a call if most keys don't match.
const MOST_STEPS: usize = 100;
/// How many locks of a page are looked at together. More would have other requests refused meanwhile.
const AT_ONCE: usize = 256;
/// How many holders of a shared lock a list tells.
const HOLDERS: u64 = 10;
/// More holders than a shared lock may have.
const EVERY_HOLDER: u64 = 1_000_000;

impl Store {
    /// Looks at the next locks whose names begin with the prefix, at about as many as the limit says, because SCAN
    /// can't stop within a step. Those of other owners are left out then. A lock that is held from the first page to
    /// the last is on at least one page, as SCAN guarantees.
    pub async fn list(&self, asked: &List) -> Result<Page, Failure> {
        let List { prefix, scope, owner, from, limit } = asked;
        let nodes = self.link.nodes()?;
        let is_shown = |name: &ResourceName| scope.as_ref().is_none_or(|scope| scope.includes(name.as_str()));
        let start = scope.as_ref().map_or(prefix.as_str(), Scope::common_start);
        let pattern = self.keys.locks_matching(start);
        let mut next = Some(*from);
        let mut names = Vec::new();
        for _ in 0..MOST_STEPS {
            let Some(Cursor { part: node, position: scan }) = next else { break };
            let Some(server) = nodes.get(node) else {
                next = None;
                break;
            };
            let step = limit - names.len();
            let args = vec![
                scan.to_string().into(),
                "MATCH".into(),
                pattern.as_str().into(),
                "COUNT".into(),
                (step as i64).into(),
            ];
            let (scan, keys) = scanned(self.link.command(server.clone(), "SCAN", args).await?)?;
            let found = keys.iter().filter_map(|key| ResourceName::parse(&self.keys.resource(key)?).ok());
            names.extend(found.filter(is_shown));
            next = match scan {
                0 if node + 1 < nodes.len() => Some(Cursor { part: node + 1, position: 0 }),
                0 => None,
                scan => Some(Cursor { part: node, position: scan }),
            };
            if names.len() >= *limit {
                break;
            }
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let most = if owner.is_some() { EVERY_HOLDER } else { HOLDERS };
        let mut states = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            states.extend(join_all(some.iter().map(|name| self.look_at(name, most))).await);
        }
        let mut locks = Vec::with_capacity(names.len());
        for (name, state) in names.into_iter().zip(states) {
            match state {
                Ok(State::Free { .. }) => {}
                Ok(state) => {
                    let kept = match owner {
                        None => Some(state),
                        Some(owner) => state.held_by(owner),
                    };
                    locks.extend(kept.map(|state| (name, shown(state))));
                }
                // A key that was changed by hand must not hide all other locks.
                Err(error) if error.is_of_its_keys() => {
                    warn!(resource = name.as_str(), ?error, "a lock that can't be read is left out of a list");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Page { locks, scope: scope.clone(), next })
    }
}

/// A state with as many holders as a list tells.
fn shown(mut state: State) -> State {
    if let State::Shared { holders, .. } = &mut state {
        holders.truncate(HOLDERS as usize);
    }
    state
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
