//! Lists the held locks page by page, with SCAN.

use gorilla_domain::{Failure, List, Owner, Page, ResourceName, Scope, State};

use crate::store::base::Store;

/// SCAN steps that a page may take. Each step looks at about as many keys as the page has room for. Bounds the work of
/// a call if most keys don't match.
const MOST_STEPS: usize = 100;
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
        let is_shown = |name: &ResourceName| scope.as_ref().is_none_or(|scope| scope.includes(name.as_str()));
        let start = scope.as_ref().map_or(prefix.as_str(), Scope::common_start);
        let mut next = Some(*from);
        let mut names = Vec::new();
        for _ in 0..MOST_STEPS {
            let Some(from) = next else { break };
            let (found, then) = self.scan(start, from, limit - names.len()).await?;
            names.extend(found.into_iter().filter(is_shown));
            next = then;
            if names.len() >= *limit {
                break;
            }
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        let locks = self.show(names, owner.as_ref()).await?;
        Ok(Page { locks, scope: scope.clone(), next })
    }

    /// These locks as a list tells them, in the same order: those that are held, by this owner if one is given.
    pub async fn show(
        &self,
        names: Vec<ResourceName>,
        owner: Option<&Owner>,
    ) -> Result<Vec<(ResourceName, State)>, Failure> {
        let most = if owner.is_some() { EVERY_HOLDER } else { HOLDERS };
        let mut locks = Vec::with_capacity(names.len());
        for (name, state) in self.look_at_all(names, most).await? {
            let kept = match owner {
                None => Some(state),
                Some(owner) => state.held_by(owner),
            };
            locks.extend(kept.map(|state| (name, shown(state))));
        }
        Ok(locks)
    }
}

/// A state with as many holders as a list tells.
fn shown(mut state: State) -> State {
    if let State::Shared { holders, .. } = &mut state {
        holders.truncate(HOLDERS as usize);
    }
    state
}
