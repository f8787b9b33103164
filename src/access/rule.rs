//! A rule of a role: on which resources it allows which verbs.

use std::fmt;

use super::verb::Verbs;

/// Verbs that a role allows on some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// On which resources.
    pub target: Target,
    /// What it allows there.
    pub verbs: Verbs,
}

/// Resources. There are no patterns, because `*` is a character like others in the name of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All resources whose names begin with this text. All resources, if the text is empty.
    Prefix(String),
    /// One resource.
    Name(String),
}

impl Target {
    /// Whether a resource is one of these.
    pub fn covers(&self, resource: &str) -> bool {
        match self {
            Self::Prefix(prefix) => resource.starts_with(prefix.as_str()),
            Self::Name(name) => resource == name,
        }
    }

    /// Whether all resources of another target are of this target too.
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Name(name)) => self.covers(name),
            (Self::Prefix(_), Self::Prefix(prefix)) => self.covers(prefix),
            (Self::Name(_), Self::Prefix(_)) => false,
        }
    }

    /// Whether these are all resources.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::Prefix(prefix) if prefix.is_empty())
    }
}

impl fmt::Display for Target {
    /// As the access file has it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "prefix = {prefix:?}"),
            Self::Name(name) => write!(f, "name = {name:?}"),
        }
    }
}

impl fmt::Display for Rule {
    /// As the access file has it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let verbs: Vec<_> = self.verbs.iter().map(|verb| verb.as_str()).collect();
        write!(f, "{{ {}, verbs = {verbs:?} }}", self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(prefix: &str) -> Target {
        Target::Prefix(prefix.into())
    }

    fn name(name: &str) -> Target {
        Target::Name(name.into())
    }

    #[test]
    fn a_prefix_covers_what_begins_with_it_and_a_name_only_itself() {
        assert!(prefix("orders:").covers("orders:1") && prefix("orders:").covers("orders:"));
        assert!(!prefix("orders:").covers("Orders:1") && !prefix("orders:").covers("orders"));
        assert!(prefix("").covers("anything") && prefix("").is_everything() && !prefix("a").is_everything());
        assert!(name("a*").covers("a*") && !name("a*").covers("ab") && !name("a").covers("a:b"));
    }

    #[test]
    fn a_target_includes_another_if_it_covers_all_that_the_other_covers() {
        for (wide, narrow) in [(prefix("a"), prefix("a")), (prefix(""), prefix("a")), (prefix("a"), name("ab"))] {
            assert!(wide.includes(&narrow), "{wide} {narrow}");
        }
        assert!(name("a").includes(&name("a")));
        for (one, other) in [(name("a"), prefix("a")), (prefix("ab"), prefix("a")), (prefix("ab"), name("a"))] {
            assert!(!one.includes(&other), "{one} {other}");
        }
    }
}
