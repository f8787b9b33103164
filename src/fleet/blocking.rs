//! Who waits for whom. All that is known of an owner is a label, so two processes with one label are one owner here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use gorilla_wire::{Blocking, Cycle, CycleWait, Waiting};

use crate::rfc3339::Rfc3339;

/// How deep a tree may be.
const DEEPEST: usize = 16;
/// How many places all trees together may have.
const MOST_PLACES: usize = 1000;
/// How many circles are told.
const MOST_CYCLES: usize = 20;

/// A lock that is held and waited for.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    /// Its name.
    pub resource: &'a str,
    /// Its holders, each with when its lease ends, in milliseconds since 1970.
    pub holders: Vec<(&'a str, i64)>,
    /// The first in its queue, each with how long it has waited, in milliseconds.
    pub waiters: Vec<(&'a str, u64)>,
}

/// A wait of an owner.
#[derive(Clone, Copy)]
struct Wait<'a> {
    lock: &'a Held<'a>,
    waited_ms: u64,
}

/// The locks that each owner holds, and those that it waits for.
struct Owners<'a> {
    holds: BTreeMap<&'a str, Vec<&'a Held<'a>>>,
    waits: HashMap<&'a str, Vec<Wait<'a>>>,
}

/// The trees of those who block and wait, the circles, and whether both are complete. A tree begins with an owner that holds
/// what others wait for, and waits for nobody.
pub fn tree(locks: &[Held<'_>]) -> (Vec<Blocking>, Vec<Cycle>, bool) {
    let owners = Owners::of(locks);
    let mut grown = Grown { owners: &owners, told: HashSet::new(), places: 0, is_complete: true };
    let roots: Vec<_> = owners.holds.keys().copied().filter(|owner| owners.waits_for(owner).is_empty()).collect();
    let mut trees: Vec<_> = roots.into_iter().filter_map(|root| grown.tree(root)).collect();
    trees.sort_by(|one, other| other.blocks.cmp(&one.blocks).then_with(|| one.owner.cmp(&other.owner)));
    let is_complete = grown.is_complete;
    let (cycles, all) = owners.cycles();
    (trees, cycles, is_complete && all)
}

impl<'a> Owners<'a> {
    fn of(locks: &'a [Held<'a>]) -> Self {
        let (mut holds, mut waits) = (BTreeMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for lock in locks.iter().filter(|lock| !lock.waiters.is_empty()) {
            let holders: BTreeSet<_> = lock.holders.iter().map(|(owner, _)| *owner).collect();
            for owner in holders {
                holds.entry(owner).or_default().push(lock);
            }
            for (owner, waited_ms) in &lock.waiters {
                waits.entry(*owner).or_default().push(Wait { lock, waited_ms: *waited_ms });
            }
        }
        Self { holds, waits }
    }

    /// The names of the locks that an owner holds.
    fn names(&self, owner: &str) -> Vec<String> {
        self.holds.get(owner).into_iter().flatten().map(|lock| lock.resource.into()).collect()
    }

    /// Those for whom an owner waits, other than itself, each with the wait and the end of the lease that it waits for.
    fn waits_for(&self, owner: &str) -> Vec<(&'a str, Wait<'a>, i64)> {
        let waits = self.waits.get(owner).into_iter().flatten();
        let holders =
            waits.flat_map(|wait| wait.lock.holders.iter().map(|(holder, expires)| (*holder, *wait, *expires)));
        holders.filter(|(holder, ..)| *holder != owner).collect()
    }

    /// The circles, the shortest through each owner, and whether these are all owners that are in one.
    fn cycles(&self) -> (Vec<Cycle>, bool) {
        let core = self.core();
        let mut told = HashSet::new();
        let mut cycles = Vec::new();
        for owner in &core {
            if told.contains(owner) {
                continue;
            }
            let Some(circle) = self.shortest(owner, &core) else { continue };
            if cycles.len() == MOST_CYCLES {
                return (cycles, false);
            }
            told.extend(circle.iter().map(|(owner, ..)| *owner));
            cycles.extend(self.cycle(&circle));
        }
        (cycles, true)
    }

    /// The owners that may be in a circle: takes away who waits for nobody that is left, again and again.
    fn core(&self) -> BTreeSet<&'a str> {
        let mut core: BTreeSet<_> = self.holds.keys().copied().collect();
        loop {
            let waits = |owner: &&str| self.waits_for(owner).iter().any(|(holder, ..)| core.contains(holder));
            let left: BTreeSet<_> = core.iter().copied().filter(waits).collect();
            if left.len() == core.len() {
                return core;
            }
            core = left;
        }
    }

    /// The shortest way from an owner back to itself: each owner of it with its wait and the holder that it waits for.
    fn shortest(&self, owner: &'a str, core: &BTreeSet<&'a str>) -> Option<Vec<(&'a str, Wait<'a>, &'a str, i64)>> {
        let mut from: HashMap<&str, (&'a str, Wait<'a>, i64)> = HashMap::new();
        let mut open = VecDeque::from([owner]);
        while let Some(next) = open.pop_front() {
            for (holder, wait, expires) in self.waits_for(next) {
                if core.contains(holder) && !from.contains_key(holder) {
                    from.insert(holder, (next, wait, expires));
                    open.push_back(holder);
                }
            }
            if from.contains_key(owner) {
                break;
            }
        }
        let (mut circle, mut at) = (Vec::new(), owner);
        loop {
            let (waiter, wait, expires) = from.get(at)?;
            circle.push((*waiter, *wait, at, *expires));
            at = waiter;
            if at == owner {
                circle.reverse();
                return Some(circle);
            }
        }
    }

    fn cycle(&self, circle: &[(&'a str, Wait<'a>, &'a str, i64)]) -> Option<Cycle> {
        let (_, first, holder, expires) = circle.iter().min_by_key(|(.., expires)| *expires)?;
        let wait = |(owner, wait, holder, _): &(&str, Wait<'_>, &str, i64)| CycleWait {
            owner: (*owner).into(),
            resource: wait.lock.resource.into(),
            holder: (*holder).into(),
            waited_ms: wait.waited_ms,
        };
        Some(Cycle {
            waits: circle.iter().map(wait).collect(),
            resolves_at: Rfc3339::from_millis(*expires).as_str().into(),
            unless: (*holder).into(),
            resource: first.lock.resource.into(),
        })
    }
}

/// Trees that are being made.
struct Grown<'a> {
    owners: &'a Owners<'a>,
    /// The owners whose waiters are told.
    told: HashSet<&'a str>,
    places: usize,
    is_complete: bool,
}

impl<'a> Grown<'a> {
    fn tree(&mut self, owner: &'a str) -> Option<Blocking> {
        let before = self.places;
        let waiters = self.waiters(owner, 1);
        let blocks = (self.places - before) as u64;
        (!waiters.is_empty()).then(|| Blocking {
            owner: owner.into(),
            holds: self.owners.names(owner),
            blocks,
            waiters,
        })
    }

    /// Those who wait for an owner, at this depth of the tree.
    fn waiters(&mut self, owner: &'a str, depth: usize) -> Vec<Waiting> {
        let owners = self.owners;
        let Some(holds) = owners.holds.get(owner).filter(|_| self.told.insert(owner)) else { return Vec::new() };
        if depth > DEEPEST {
            self.is_complete = false;
            return Vec::new();
        }
        let mut waiters = Vec::new();
        for lock in holds {
            for ((waiter, waited_ms), position) in lock.waiters.iter().zip(1..) {
                if self.places >= MOST_PLACES {
                    self.is_complete = false;
                    return waiters;
                }
                self.places += 1;
                waiters.push(Waiting {
                    owner: (*waiter).into(),
                    resource: lock.resource.into(),
                    position,
                    waited_ms: *waited_ms,
                    holds: owners.names(waiter),
                    waiters: self.waiters(waiter, depth + 1),
                });
            }
        }
        waiters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: i64 = 1_795_801_900_000;

    fn held<'a>(resource: &'a str, holders: &[&'a str], waiters: &[&'a str]) -> Held<'a> {
        Held {
            resource,
            holders: holders.iter().map(|owner| (*owner, LATER)).collect(),
            waiters: waiters.iter().zip(1..).map(|(owner, waited)| (*owner, waited * 1000)).collect(),
        }
    }

    /// A tree in a line: `owner(waiter(…) waiter)`.
    fn shape(waiters: &[Waiting]) -> String {
        let one = |waiting: &Waiting| match waiting.waiters.as_slice() {
            [] => waiting.owner.clone(),
            below => format!("{}({})", waiting.owner, shape(below)),
        };
        waiters.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn shapes(locks: &[Held<'_>]) -> Vec<String> {
        let (trees, ..) = tree(locks);
        trees.iter().map(|tree| format!("{} {}: {}", tree.owner, tree.blocks, shape(&tree.waiters))).collect()
    }

    #[test]
    fn a_chain_begins_with_who_waits_for_nothing() {
        let locks =
            [held("web", &["ci/1"], &["ci/2", "ci/3"]), held("db", &["ci/2"], &["job"]), held("x", &["y"], &[])];
        assert_eq!(shapes(&locks), ["ci/1 3: ci/2(job) ci/3"]);
        let (trees, cycles, is_complete) = tree(&locks);
        assert_eq!((cycles, is_complete), (vec![], true));
        let second = &trees[0].waiters[0];
        assert_eq!((second.holds.as_slice(), second.position, second.waited_ms), (&["db".to_string()][..], 1, 1000));
        assert_eq!(trees[0].waiters[1].position, 2);
    }

    #[test]
    fn an_owner_at_two_places_has_its_waiters_at_one() {
        let locks = [held("a", &["one"], &["both"]), held("b", &["two"], &["both"]), held("c", &["both"], &["last"])];
        assert_eq!(shapes(&locks), ["one 2: both(last)", "two 1: both"]);
    }

    #[test]
    fn who_waits_for_each_other_is_told_with_the_first_end() {
        let mut locks = [held("x", &["b"], &["a"]), held("y", &["a"], &["b", "c"])];
        locks[1].holders[0].1 = LATER - 5000;
        let (trees, cycles, is_complete) = tree(&locks);
        assert_eq!((trees.len(), cycles.len(), is_complete), (0, 1, true));
        let waits: Vec<_> = cycles[0]
            .waits
            .iter()
            .map(|wait| (wait.owner.as_str(), wait.resource.as_str(), wait.holder.as_str()))
            .collect();
        assert_eq!(waits, [("a", "x", "b"), ("b", "y", "a")]);
        assert_eq!((cycles[0].unless.as_str(), cycles[0].resource.as_str()), ("a", "y"));
        assert_eq!(cycles[0].resolves_at, "2026-11-27T17:51:35.000Z");
    }

    #[test]
    fn a_longer_circle_is_found_and_each_once() {
        let circle = |names: [&'static str; 3]| {
            let [a, b, c] = names;
            [held(a, &[a], &[c]), held(b, &[b], &[a]), held(c, &[c], &[b])]
        };
        let locks: Vec<_> = [circle(["a", "b", "c"]), circle(["d", "e", "f"])].concat();
        let (_, cycles, _) = tree(&locks);
        let owners: Vec<_> =
            cycles.iter().map(|cycle| cycle.waits.iter().map(|wait| wait.owner.as_str()).collect::<String>()).collect();
        assert_eq!(owners, ["abc", "def"]);
    }

    #[test]
    fn who_waits_for_itself_makes_no_circle_and_is_told_once() {
        assert_eq!(shapes(&[held("x", &["a"], &["a", "a"])]), ["a 2: a a"]);
        assert_eq!(tree(&[held("x", &["a"], &["a"])]).1, []);
    }

    #[test]
    fn one_of_several_holders_blocks_as_well() {
        let locks = [held("x", &["a", "b"], &["c"]), held("y", &["c"], &["b"])];
        let (trees, cycles, _) = tree(&locks);
        assert_eq!((trees.len(), cycles.len()), (1, 1));
        assert_eq!((trees[0].owner.as_str(), cycles[0].waits.len()), ("a", 2));
    }

    #[test]
    fn what_is_too_deep_or_too_much_is_left_out_and_said() {
        let names: Vec<_> = (0..40).map(|number| number.to_string()).collect();
        let deep: Vec<_> = names.windows(2).map(|pair| held(&pair[0], &[&pair[0]], &[&pair[1]])).collect();
        let (trees, _, is_complete) = tree(&deep);
        assert_eq!((trees[0].blocks, is_complete), (DEEPEST as u64, false));
        let names: Vec<_> = (0..MOST_PLACES + 1).map(|number| format!("w{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let (trees, _, is_complete) = tree(&[held("x", &["a"], &names)]);
        assert_eq!((trees[0].blocks, is_complete), (MOST_PLACES as u64, false));
    }
}
