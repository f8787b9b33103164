//! Many operations in one request.

use std::{collections::HashMap, iter, sync::Arc};

use futures_util::{StreamExt, future::join, stream};
use gorilla_domain::{Acquire, Acquired, Extend, Extended, Release, Released, ResourceName};

use super::{base::Service, caller::Caller, refusal::Refusal};

/// What an item of a batch asks for.
pub enum Operation {
    /// Take a lock. An item of a batch doesn't wait.
    Acquire(Arc<Acquire>),
    /// Renew a lease.
    Extend(Extend),
    /// Free a lock.
    Release(Release),
}

/// What an item asked for, and what came of it.
pub enum Done {
    /// Of an acquire.
    Acquire(Arc<Acquire>, Result<Acquired, Refusal>),
    /// Of an extend.
    Extend(Extend, Result<Extended, Refusal>),
    /// Of an extend that has succeeded, where the caller wants to know no more than that.
    Renewed,
    /// Of a release.
    Release(Release, Result<Released, Refusal>),
}

impl Operation {
    /// What it is about.
    pub fn resource(&self) -> &ResourceName {
        match self {
            Self::Acquire(asked) => &asked.resource,
            Self::Extend(asked) => &asked.resource,
            Self::Release(asked) => &asked.resource,
        }
    }

    /// The token that it has, which no record must have.
    fn token(&self) -> Option<&str> {
        match self {
            Self::Acquire(_) => None,
            Self::Extend(asked) => Some(asked.token.expose()),
            Self::Release(asked) => Some(asked.token.expose()),
        }
    }
}

impl Service {
    /// Does each operation as if it had come alone, and tells of each what came of it, in the same order. Operations on
    /// one resource are done one after another, in their order, and operations on different resources at once as far as
    /// there is room. If the caller is dropped, no more operations are begun, and acquires that were sent are undone. If
    /// `brief`, the caller wants to know of successes only that they are successes.
    pub async fn batch(&self, caller: &Caller, operations: Vec<Operation>, brief: bool) -> Vec<Done> {
        let count = operations.len();
        let hiding;
        let caller = match &self.audit {
            Some(_) => {
                let recorded = caller.recorded.as_deref().cloned().unwrap_or_default();
                let recorded = recorded.hiding(&caller.request_id, operations.iter().filter_map(Operation::token));
                hiding = Caller { recorded: Some(recorded.into()), ..caller.clone() };
                &hiding
            }
            None => caller,
        };
        let (mut renewals, mut others) = (vec![], vec![]);
        for mut line in lines(operations) {
            let renews = brief && line.len() == 1 && self.renews(&line[0].1);
            match line.pop() {
                Some((index, Operation::Extend(asked))) if renews => renewals.push((index, asked)),
                last => {
                    line.extend(last);
                    others.push(line);
                }
            }
        }
        let done = stream::iter(others).map(async |line| {
            let mut done = Vec::with_capacity(line.len());
            for (index, operation) in line {
                done.push((index, self.single(caller, operation).await));
            }
            stream::iter(done)
        });
        let done = done.buffer_unordered(self.room.of_one()).flatten();
        let (others, renewed) = join(done.collect::<Vec<_>>(), self.renewals(caller, renewals)).await;
        let mut all: Vec<_> = iter::repeat_with(|| None).take(count).collect();
        for (index, done) in others.into_iter().chain(renewed) {
            all[index] = Some(done);
        }
        debug_assert!(all.iter().all(Option::is_some), "no item is lost");
        all.into_iter().flatten().collect()
    }

    /// Does an operation as if it had come alone.
    pub(super) async fn single(&self, caller: &Caller, operation: Operation) -> Done {
        let _room = self.room.enter().await;
        match operation {
            Operation::Acquire(asked) => {
                let acquired = match caller.identity.as_ref().map_or(Ok(()), |identity| self.ask(identity)) {
                    Ok(()) => self.acquire(caller, &asked).await,
                    Err(refusal) => Err(refusal),
                };
                Done::Acquire(asked, acquired)
            }
            Operation::Extend(asked) => {
                let extended = self.extend(caller, &asked).await;
                Done::Extend(asked, extended)
            }
            Operation::Release(asked) => {
                let released = self.release(caller, &asked).await;
                Done::Release(asked, released)
            }
        }
    }
}

/// The operations on each resource with their places in the batch, the resources in the order in which they come first.
fn lines(operations: Vec<Operation>) -> Vec<Vec<(usize, Operation)>> {
    let mut lines: Vec<Vec<_>> = Vec::with_capacity(operations.len());
    let mut line_of = HashMap::with_capacity(operations.len());
    for (index, operation) in operations.into_iter().enumerate() {
        let line = *line_of.entry(operation.resource().clone()).or_insert(lines.len());
        match lines.get_mut(line) {
            Some(line) => line.push((index, operation)),
            None => lines.push(vec![(index, operation)]),
        }
    }
    lines
}
