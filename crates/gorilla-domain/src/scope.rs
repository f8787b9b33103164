//! Which resources a caller may see.

/// The resources whose names begin with one of some prefixes, and those that have one of some names. In its shortest form:
/// no part is within another part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    prefixes: Vec<String>,
    names: Vec<String>,
}

impl Scope {
    /// The resources of these prefixes and names together.
    pub fn new(prefixes: impl IntoIterator<Item = String>, names: impl IntoIterator<Item = String>) -> Self {
        let mut sorted: Vec<_> = prefixes.into_iter().collect();
        sorted.sort_unstable();
        let mut prefixes: Vec<String> = Vec::new();
        for prefix in sorted {
            // What a prefix is within has been sorted before it, and everything between the two is within it too.
            if !prefixes.last().is_some_and(|last| prefix.starts_with(last)) {
                prefixes.push(prefix);
            }
        }
        let is_within = |name: &String| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let mut names: Vec<_> = names.into_iter().filter(|name| !is_within(name)).collect();
        names.sort_unstable();
        names.dedup();
        Self { prefixes, names }
    }

    /// Whether no resource belongs to it.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.names.is_empty()
    }

    /// Whether all resources belong to it.
    pub fn is_everything(&self) -> bool {
        self.prefixes.first().is_some_and(String::is_empty)
    }

    /// Whether this resource belongs to it.
    pub fn includes(&self, name: &str) -> bool {
        self.prefixes.iter().any(|prefix| name.starts_with(prefix)) || self.names.iter().any(|known| known == name)
    }

    /// Those of its resources whose names begin with `start`.
    pub fn within(&self, start: &str) -> Self {
        let narrowed = |prefix: &String| match prefix.starts_with(start) {
            true => Some(prefix.clone()),
            false => start.starts_with(prefix).then(|| start.into()),
        };
        let names = self.names.iter().filter(|name| name.starts_with(start)).cloned();
        Self::new(self.prefixes.iter().filter_map(narrowed), names)
    }

    /// The resources that belong to this scope and to another.
    pub fn both(&self, other: &Self) -> Self {
        let within = other.prefixes.iter().map(|prefix| self.within(prefix));
        let names = other.names.iter().filter(|name| self.includes(name)).cloned();
        let (mut all, mut prefixes) = (names.collect::<Vec<_>>(), Vec::new());
        for part in within {
            prefixes.extend(part.prefixes);
            all.extend(part.names);
        }
        Self::new(prefixes, all)
    }

    /// What the names of its resources begin with.
    pub fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// The names of its other resources.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The prefixes and names, sorted.
    pub fn parts(&self) -> Vec<&str> {
        let mut parts: Vec<_> = self.prefixes.iter().chain(&self.names).map(String::as_str).collect();
        parts.sort_unstable();
        parts
    }

    /// The longest text with which the names of all its resources begin.
    pub fn common_start(&self) -> &str {
        let parts = self.parts();
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return "" };
        // The texts between the first and the last have in common what these two have.
        let same = first.char_indices().zip(last.chars()).find(|((_, one), other)| one != other);
        &first[..same.map_or(first.len().min(last.len()), |((at, _), _)| at)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(prefixes: &[&str], names: &[&str]) -> Scope {
        Scope::new(prefixes.iter().map(|text| (*text).into()), names.iter().map(|text| (*text).into()))
    }

    #[test]
    fn a_scope_has_its_shortest_form() {
        let shortest = scope(&["orders:", "a"], &["nightly"]);
        assert_eq!(scope(&["orders:", "orders:eu:", "a", "ab", "a"], &["nightly", "orders:1", "nightly"]), shortest);
        assert_eq!(scope(&["x", ""], &["nightly"]).parts(), [""]);
        assert!(scope(&[], &[]).is_empty() && !scope(&[""], &[]).is_empty());
    }

    #[test]
    fn only_the_resources_of_a_scope_are_included() {
        let scope = scope(&["orders:"], &["nightly"]);
        for (name, included) in [
            ("orders:1", true),
            ("orders:", true),
            ("orders", false),
            ("Orders:1", false),
            ("nightly", true),
            ("nightly2", false),
        ] {
            assert_eq!(scope.includes(name), included, "{name}");
        }
    }

    #[test]
    fn a_scope_is_narrowed_to_what_both_include() {
        let all = scope(&["orders:", "stock:"], &["nightly"]);
        assert_eq!(all.within("orders:eu"), scope(&["orders:eu"], &[]));
        assert_eq!(all.within("o"), scope(&["orders:"], &[]));
        assert_eq!(all.within("n"), scope(&[], &["nightly"]));
        assert_eq!(all.within(""), all);
        assert!(all.within("nightly2").is_empty());
    }

    #[test]
    fn two_scopes_have_in_common_what_both_include() {
        let one = scope(&["orders:", "stock:eu:"], &["nightly", "weekly"]);
        let other = scope(&["orders:eu:", "stock:"], &["nightly", "orders:1", "daily"]);
        let both = scope(&["orders:eu:", "stock:eu:"], &["nightly", "orders:1"]);
        assert_eq!((one.both(&other), other.both(&one)), (both.clone(), both));
        assert_eq!(one.both(&scope(&[""], &[])), one);
        assert!(one.both(&scope(&[], &[])).is_empty());
    }

    #[test]
    fn the_common_start_is_within_the_borders_of_characters() {
        assert_eq!(scope(&["orders:eu:", "orders:us:"], &[]).common_start(), "orders:");
        assert_eq!(scope(&["é1", "è2"], &[]).common_start(), "");
        assert_eq!(scope(&["ab"], &["a"]).common_start(), "a");
        assert_eq!(scope(&["ab"], &[]).common_start(), "ab");
        assert_eq!(scope(&[], &[]).common_start(), "");
    }
}
