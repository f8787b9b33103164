//! Look at all locks in an order.

use std::sync::Arc;

use gorilla_domain::{Order, Owner, Page, ResourceName, Scope, Verb};

use super::{aside::aside, base::Service, caller::Caller, census::Seen, refusal::Refusal, row::Row};

/// A page of a sorted list.
#[derive(Clone, Debug)]
pub struct SortedList {
    /// How many locks are before the page.
    pub from: usize,
    /// How many locks a page has.
    pub limit: usize,
    /// The order.
    pub order: Order,
    /// How the names begin.
    pub prefix: String,
    /// Who holds them, if not anybody.
    pub owner: Option<Owner>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Sorted {
    /// A page.
    Page {
        /// The locks on it.
        page: Page,
        /// How many locks there are on all pages.
        total: usize,
        /// When Gorilla began to look at them, in milliseconds since 1970 by the clock of Redis.
        at: i64,
        /// How many of all keys were looked at, from 0 to 1.
        progress: f64,
        /// Where the next page begins, if there is one.
        next: Option<usize>,
    },
    /// There are too many locks.
    TooMany,
}

impl Service {
    /// A page of the held locks that are asked for, in an order, as far as the caller may see them.
    pub async fn sorted(self: &Arc<Self>, caller: &Caller, asked: SortedList) -> Result<Sorted, Refusal> {
        let scope = self
            .noted(caller, caller.scope(Verb::List).map_err(Refusal::from))?
            .map(|scope| scope.within(&asked.prefix));
        let start = scope.as_ref().map_or(asked.prefix.as_str(), Scope::common_start).to_string();
        let seen = if scope.as_ref().is_some_and(Scope::is_empty) {
            Arc::new(Seen { at: self.store.time().await?.timestamp_millis(), rows: vec![], progress: 1.0 })
        } else {
            match self.census.look(&start).await? {
                Ok(seen) => seen,
                Err(_) => return Ok(Sorted::TooMany),
            }
        };
        let (at, progress, owner) = (seen.at, seen.progress, asked.owner.clone());
        let of = scope.clone();
        let (names, total, next) = aside(move || pick(&seen, &asked, of.as_ref())).await?;
        let locks = caller.all_shown(self.store.show(names, owner.as_ref()).await?);
        Ok(Sorted::Page { page: Page { locks, scope, next: None }, total, at, progress, next })
    }
}

/// The names on a page, how many locks there are on all pages, and where the next page begins.
fn pick(seen: &Seen, asked: &SortedList, scope: Option<&Scope>) -> (Vec<ResourceName>, usize, Option<usize>) {
    let SortedList { from, limit, order, prefix, owner } = asked;
    let owner = owner.as_ref().map(Owner::as_str);
    let is_asked = |row: &&Row| {
        let name = row.name.as_str();
        name.starts_with(prefix.as_str())
            && scope.is_none_or(|scope| scope.includes(name))
            && owner.is_none_or(|owner| row.owners.iter().any(|known| known == owner))
    };
    let mut rows: Vec<_> = seen.rows.iter().flat_map(|step| step.iter()).filter(is_asked).collect();
    let total = rows.len();
    let (from, to) = ((*from).min(total), from.saturating_add(*limit).min(total));
    if to < total {
        // What comes behind the page need not be in order.
        rows.select_nth_unstable_by(to, |one, other| one.compare(other, *order));
        rows.truncate(to);
    }
    rows.sort_unstable_by(|one, other| one.compare(other, *order));
    let names = rows[from..to].iter().map(|row| row.name.clone()).collect();
    (names, total, (to < total).then_some(to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(number: u32) -> ResourceName {
        ResourceName::parse(&format!("{number:04}")).expect("a name")
    }

    fn page(
        seen: &Seen,
        order: Order,
        from: usize,
        limit: usize,
        owner: Option<&str>,
    ) -> (Vec<String>, usize, Option<usize>) {
        let owner = owner.map(|owner| Owner::new(owner.into()).expect("an owner"));
        let asked = SortedList { from, limit, order, prefix: String::new(), owner };
        let (names, total, next) = pick(seen, &asked, None);
        (names.iter().map(|name| name.as_str().to_string()).collect(), total, next)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_pages_together_are_all_locks_in_order(
            values in prop::collection::vec((0..5u64, 0..5i64, 0..5i64), 0..60), limit in 1..20usize,
            order in prop::sample::select(vec![Order::Waiting, Order::Age, Order::Left, Order::Name]),
        ) {
            let row = |(number, (waiting, created, expires)): (u32, &(u64, i64, i64))| Row {
                name: name(number), waiting: *waiting, created: *created, expires: *expires, owners: vec![format!("o{created}")],
            };
            let rows: Vec<_> = (0..).zip(&values).map(row).collect();
            let seen = Seen { rows: rows.chunks(7).map(|step| Arc::new(step.to_vec())).collect(), ..Seen::default() };
            let (mut all, mut next) = (Vec::new(), Some(0));
            while let Some(from) = next {
                let (names, total, then) = page(&seen, order, from, limit, None);
                prop_assert_eq!(total, rows.len());
                all.extend(names);
                next = then;
            }
            let mut expected = rows.clone();
            expected.sort_by(|one, other| one.compare(other, order));
            prop_assert_eq!(all, expected.iter().map(|row| row.name.as_str().to_string()).collect::<Vec<_>>());
            let (_, total, _) = page(&seen, order, 0, 1, Some("o3"));
            prop_assert_eq!(total, values.iter().filter(|(_, created, _)| *created == 3).count());
        }
    }

    #[test]
    fn a_page_behind_the_last_is_empty() {
        assert_eq!(page(&Seen::default(), Order::Name, 5, 10, None), (vec![], 0, None));
        assert_eq!(page(&Seen::default(), Order::Name, usize::MAX, 10, None), (vec![], 0, None));
    }
}
