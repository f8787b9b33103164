//! On which resources somebody may do something.

use super::rule::Target;

/// Resources: all that begin with one of the prefixes, and the names. Both are sorted, and none is covered by another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// What the names of resources may begin with. An empty prefix means all resources.
    pub prefixes: Vec<String>,
    /// Further resources, by name.
    pub names: Vec<String>,
}

impl Scope {
    /// Whether there is no resource.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.names.is_empty()
    }

    /// Whether these are all resources.
    pub fn is_everything(&self) -> bool {
        self.prefixes.first().is_some_and(String::is_empty)
    }

    /// Whether a resource is one of these.
    pub fn covers(&self, resource: &str) -> bool {
        self.prefixes.iter().any(|prefix| resource.starts_with(prefix.as_str()))
            || self.names.iter().any(|name| name == resource)
    }

    /// Those of these resources whose names begin with a text.
    pub fn within(&self, prefix: &str) -> Self {
        let narrower = |own: &String| {
            let both = if own.starts_with(prefix) { own } else { prefix };
            both.starts_with(own.as_str()).then(|| Target::Prefix(both.into()))
        };
        let prefixes = self.prefixes.iter().filter_map(narrower);
        let names = self.names.iter().filter(|name| name.starts_with(prefix)).cloned().map(Target::Name);
        let targets: Vec<_> = prefixes.chain(names).collect();
        targets.iter().collect()
    }
}

impl<'a> FromIterator<&'a Target> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a Target>>(targets: I) -> Self {
        let (mut prefixes, mut names) = (Vec::<String>::new(), Vec::<String>::new());
        for target in targets {
            match target {
                Target::Prefix(prefix) => prefixes.push(prefix.clone()),
                Target::Name(name) => names.push(name.clone()),
            }
        }
        // A prefix of a text stands before the text, and everything between the two begins with the prefix.
        prefixes.sort();
        prefixes.dedup_by(|later, kept| later.starts_with(kept.as_str()));
        names.sort();
        names.dedup();
        names.retain(|name| !prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())));
        Self { prefixes, names }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(prefixes: &[&str], names: &[&str]) -> Scope {
        let prefixes = prefixes.iter().map(|&prefix| Target::Prefix(prefix.into()));
        let targets: Vec<_> = prefixes.chain(names.iter().map(|&name| Target::Name(name.into()))).collect();
        targets.iter().collect()
    }

    #[test]
    fn a_scope_has_nothing_twice_and_is_sorted() {
        let made = scope(&["b:", "a:x:", "a:", "b:"], &["z", "a:y", "c", "z"]);
        assert_eq!((made.prefixes, made.names), (vec!["a:".into(), "b:".into()], vec!["c".into(), "z".to_string()]));
        let all = scope(&["b", ""], &["z"]);
        assert!(all.is_everything() && all == scope(&[""], &[]));
        assert!(scope(&[], &[]).is_empty() && !scope(&[], &["a"]).is_empty() && !scope(&["a"], &[]).is_everything());
    }

    #[test]
    fn a_scope_within_a_prefix_is_what_both_cover() {
        let mine = scope(&["orders:", "stock:eu:"], &["nightly", "orders"]);
        assert_eq!(mine.within(""), mine);
        assert_eq!(mine.within("orders"), scope(&["orders:"], &["orders"]));
        assert_eq!(mine.within("orders:1"), scope(&["orders:1"], &[]));
        assert_eq!(mine.within("stock:"), scope(&["stock:eu:"], &[]));
        assert!(mine.within("stock:us:").is_empty() && mine.within("other").is_empty());
        assert_eq!(scope(&[""], &[]).within("a"), scope(&["a"], &[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_scope_covers_what_one_of_its_targets_covers(
            prefixes in prop::collection::vec("[ab]{0,3}", 0..4), names in prop::collection::vec("[ab]{1,4}", 0..4),
            asked in "[ab]{0,3}", resource in "[ab]{1,5}",
        ) {
            let prefixes = prefixes.into_iter().map(Target::Prefix);
            let targets: Vec<_> = prefixes.chain(names.into_iter().map(Target::Name)).collect();
            let scope: Scope = targets.iter().collect();
            let covered = targets.iter().any(|target| target.covers(&resource));
            prop_assert_eq!(scope.covers(&resource), covered);
            prop_assert_eq!(scope.within(&asked).covers(&resource), covered && resource.starts_with(&asked));
        }
    }
}
