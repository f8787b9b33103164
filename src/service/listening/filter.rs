//! Which events a listener wants.

use gorilla_domain::{
    Owner, ResourceName,
    event::{Event, EventType},
};

/// Which events a listener wants: those that pass each part.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    prefix: String,
    resources: Vec<ResourceName>,
    owner: Option<Owner>,
    kinds: Option<Kinds>,
}

/// Some types of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Whether this type is one of them.
    pub fn has(self, kind: EventType) -> bool {
        self.0 & Self::from(kind).0 != 0
    }

    /// Whether nothing but these types of an election is among them.
    pub fn is_election(self) -> bool {
        let election = Self::from(EventType::Leader).with(EventType::Vacant);
        self.0 != 0 && self.0 & !election.0 == 0
    }

    /// With another type.
    pub fn with(self, kind: EventType) -> Self {
        Self(self.0 | Self::from(kind).0)
    }
}

impl From<EventType> for Kinds {
    fn from(kind: EventType) -> Self {
        Self(1 << kind as u16)
    }
}

impl Filter {
    /// Only locks whose names begin with a prefix, and of those the named ones, if some are named; with an owner and kinds
    /// only events that have them.
    pub fn new(prefix: String, resources: Vec<ResourceName>, owner: Option<Owner>, kinds: Option<Kinds>) -> Self {
        Self { prefix, resources, owner, kinds }
    }

    /// What the names of the locks begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The locks that are named; none if all are meant.
    pub fn resources(&self) -> &[ResourceName] {
        &self.resources
    }

    /// The owner, if one is named.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// The types, if some are named.
    pub fn kinds(&self) -> Option<Kinds> {
        self.kinds
    }

    /// Whether an event of this type is wanted.
    pub fn wants(&self, kind: EventType) -> bool {
        self.kinds.is_none_or(|kinds| kinds.has(kind))
    }

    /// Whether what follows from an event of a lock may be wanted: each part but the types lets it pass.
    pub fn concerns(&self, event: &Event) -> bool {
        let name = &event.resource;
        name.as_str().starts_with(&self.prefix)
            && (self.resources.is_empty() || self.resources.contains(name))
            && self.owner.as_ref().is_none_or(|owner| owner.as_str() == event.owner)
    }

    /// Whether an event passes, or an event of an election may follow from it.
    pub fn passes(&self, event: &Event) -> bool {
        let has_election = self.wants(EventType::Leader) || self.wants(EventType::Vacant);
        let may_matter = !self.resources.is_empty() && has_election;
        (self.wants(event.kind()) || may_matter) && self.concerns(event)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use gorilla_domain::event::{Change, UndoneCause};

    use super::*;

    fn name(text: &str) -> ResourceName {
        ResourceName::parse(text).expect("a name")
    }

    fn event(resource: &str, owner: &str) -> Event {
        let change = Change::Undone { cause: UndoneCause::HungUp };
        let (at, id) = (DateTime::UNIX_EPOCH, Some("id".into()));
        Event { resource: name(resource), owner: owner.into(), fence: Some(1), id, at, change }
    }

    fn owner(text: &str) -> Option<Owner> {
        Some(Owner::new(text.into()).expect("an owner"))
    }

    #[test]
    fn an_event_must_pass_each_part() {
        let all = Filter::default();
        assert!(all.passes(&event("a", "me")));
        let named = Filter::new("a".into(), vec![name("ab"), name("b")], owner("me"), None);
        for (resource, owner, passes) in
            [("ab", "me", true), ("ab", "you", false), ("b", "me", false), ("ac", "me", false)]
        {
            assert_eq!(named.passes(&event(resource, owner)), passes, "{resource} {owner}");
        }
    }

    #[test]
    fn of_an_election_each_event_of_the_named_locks_may_matter() {
        let election = Kinds::from(EventType::Leader).with(EventType::Vacant);
        let filter = Filter::new(String::new(), vec![name("a")], None, Some(election));
        assert!(filter.passes(&event("a", "me")) && !filter.passes(&event("b", "me")));
        assert!(!filter.wants(EventType::Undone) && filter.wants(EventType::Leader));
        let others = Filter::new(String::new(), vec![], None, Some(EventType::Granted.into()));
        assert!(!others.passes(&event("a", "me")));
        assert!(election.is_election() && !election.with(EventType::Granted).is_election());
    }
}
