//! Renewals of many locks that need only be told apart from failures: the heartbeat of a client that holds many locks.

use futures_util::{StreamExt, future::join_all, stream};
use gorilla_domain::Extend;

use super::{base::Service, batch::Done, batch::Operation, caller::Caller, refusal::Refusal};

/// How many are renewed with one command. Redis does nothing else meanwhile, for some microseconds each.
const MOST: usize = 64;

/// An extend, with its place in the batch.
pub type Placed = (usize, Extend);

impl Service {
    /// Whether an operation can be done by `renewals`, if nobody wants to know more than that it succeeded. An audit record
    /// of a renewal would tell more.
    pub(super) fn renews(&self, operation: &Operation) -> bool {
        matches!(operation, Operation::Extend(asked) if self.audit.is_none() && self.store.renews(asked))
    }

    /// Does extends of different locks, as if each had come alone, in an order of their own.
    pub(super) async fn renewals(&self, caller: &Caller, mut extends: Vec<Placed>) -> Vec<(usize, Done)> {
        let mut done = Vec::with_capacity(extends.len());
        extends.sort_by_key(|(_, asked)| asked.lease.as_millis());
        let (mut together, most) = (Vec::<Vec<Placed>>::new(), MOST.min(self.room.of_one()));
        for (index, asked) in extends {
            if let Err(refusal) = self.permit_extend(caller, &asked) {
                done.push((index, Done::Extend(asked, Err(refusal))));
                continue;
            }
            match together.last_mut() {
                Some(group) if group.len() < most && group[0].1.lease == asked.lease => group.push((index, asked)),
                _ => together.push(vec![(index, asked)]),
            }
        }
        let groups = stream::iter(together).map(|group| self.renewed(caller, group));
        let groups: Vec<_> = groups.buffer_unordered((self.room.of_one() / most).max(1)).collect().await;
        done.extend(groups.into_iter().flatten());
        done
    }

    async fn renewed(&self, caller: &Caller, group: Vec<Placed>) -> Vec<(usize, Done)> {
        let room = self.room.enter_together(group.len()).await;
        let renewed = self.store.renew_all(&group.iter().map(|(_, asked)| asked).collect::<Vec<_>>()).await;
        drop(room);
        let mut left = match renewed {
            Ok(left) => left.into_iter().peekable(),
            Err(failure) => {
                let failed = |(index, asked)| (index, Done::Extend(asked, Err(Refusal::Store(failure.clone()))));
                return group.into_iter().map(failed).collect();
            }
        };
        let (mut done, mut others) = (Vec::with_capacity(group.len()), vec![]);
        for (place, (index, asked)) in group.into_iter().enumerate() {
            match left.next_if_eq(&place) {
                None => done.push((index, Done::Renewed)),
                Some(_) => others.push(async move { (index, self.single(caller, Operation::Extend(asked)).await) }),
            }
        }
        done.extend(join_all(others).await);
        done
    }
}
