//! Sets of what a role may allow.

use gorilla_domain::Verb;

/// A set of verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbs(u16);

impl Verbs {
    /// Whether the set has a verb.
    pub fn contains(self, verb: Verb) -> bool {
        self.0 & Self::bit(verb) != 0
    }

    /// Whether the set has no verb.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The verbs of the set, in the order of `Verb::ALL`.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |&verb| self.contains(verb))
    }

    fn bit(verb: Verb) -> u16 {
        1 << verb as u16
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        Self(verbs.into_iter().fold(0, |set, verb| set | Self::bit(verb)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_verbs_that_it_was_made_of_and_no_other() {
        let set: Verbs = [Verb::List, Verb::Acquire, Verb::List].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Verb::Acquire, Verb::List]);
        assert!(!set.is_empty() && Verbs::default().is_empty() && !set.contains(Verb::Metrics));
        assert_eq!(Verb::ALL.into_iter().collect::<Verbs>().iter().count(), Verb::ALL.len());
    }
}
