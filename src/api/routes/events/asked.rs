//! What a request for events asks for.

use std::{borrow::Cow, time::Duration};

use axum::http::HeaderMap;
use gorilla_domain::{
    Owner, ResourceName,
    event::{Cursor, EventType},
};

use crate::{
    api::{
        fields,
        invalid::Invalid,
        query::{Given, parameters_and},
    },
    service::{Filter, Kinds},
};

/// How many locks a request may name.
const MOST_RESOURCES: usize = 16;
const LAST_EVENT_ID: &str = "last-event-id";
const DEFAULT_LIMIT: usize = 500;
const MOST: usize = 1000;
const MOST_RECENT: usize = 500;

/// What both forms ask for, and what only one of them does.
pub struct Asked<Form> {
    /// Which events.
    pub filter: Filter,
    /// Where to resume, if the client says so.
    pub since: Option<Since>,
    /// How many of the last events come first, if the client does not resume.
    pub recent: usize,
    /// What only this form has.
    pub form: Form,
}

/// The cursor of a client. Whatever is no cursor is one that nobody knows: the client missed something.
pub struct Since(pub Option<Cursor>);

/// A stream.
pub struct Stream {
    /// Whether it begins with the states of the locks.
    pub snapshot: bool,
}

/// A long poll.
pub struct Poll {
    /// How long to wait for an event.
    pub wait: Duration,
    /// How many events to answer.
    pub limit: usize,
}

impl Asked<Stream> {
    /// Reads a request for a stream.
    pub fn of_stream(query: &str, headers: &HeaderMap) -> Result<Self, Invalid> {
        const KNOWN: [&str; 8] = ["prefix", "owner", "types", "since", "recent", "snapshot", "wait", "limit"];
        let Given { single, repeated } = parameters_and(query, KNOWN, "resource")?;
        let [prefix, owner, types, since, recent, snapshot, wait, limit] = single;
        for (name, value) in [("wait", wait), ("limit", limit)] {
            if value.is_some() {
                return Err(Invalid::new(
                    name,
                    "is for a long poll, which has the header \"Accept: application/json\"",
                ));
            }
        }
        let snapshot = match snapshot.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(Invalid::new("snapshot", "must be 0 or 1")),
        };
        let (recent, filter) = (recent_of(recent)?, filter(prefix, repeated, owner, types)?);
        let asked = Self { filter, since: since_of(since, headers)?, recent, form: Stream { snapshot } };
        if recent > 0 && (snapshot || asked.has_election()) {
            return Err(Invalid::new("recent", "is not for a stream that begins with states"));
        }
        Ok(asked)
    }

    /// Whether `leader` and `vacant` are told.
    pub fn has_election(&self) -> bool {
        let is_wanted = match self.filter.kinds() {
            None => self.form.snapshot,
            Some(kinds) => kinds.has(EventType::Leader) || kinds.has(EventType::Vacant),
        };
        is_wanted && !self.filter.resources().is_empty()
    }
}

impl Asked<Poll> {
    /// Reads a request for a long poll.
    pub fn of_poll(query: &str, headers: &HeaderMap, max_wait: Duration) -> Result<Self, Invalid> {
        const KNOWN: [&str; 8] = ["prefix", "owner", "types", "since", "recent", "snapshot", "wait", "limit"];
        let Given { single, repeated } = parameters_and(query, KNOWN, "resource")?;
        let [prefix, owner, types, since, recent, snapshot, wait, limit] = single;
        if snapshot.is_some_and(|snapshot| snapshot != "0") {
            let rule = "is for a stream; ask for GET /api/v1/locks or GET /api/v1/locks/{resource} first";
            return Err(Invalid::new("snapshot", rule));
        }
        let filter = filter(prefix, repeated, owner, types)?;
        if filter.kinds().is_some_and(|kinds| kinds.has(EventType::Leader) || kinds.has(EventType::Vacant)) {
            return Err(Invalid::new("types", "may have leader and vacant in a stream only"));
        }
        let wait = fields::wait_in_query(wait.as_deref(), max_wait)?.unwrap_or_default();
        let limit = fields::whole_in_query("limit", limit.as_deref(), 1..=MOST)?.unwrap_or(DEFAULT_LIMIT);
        let recent = recent_of(recent)?.min(limit);
        Ok(Self { filter, since: since_of(since, headers)?, recent, form: Poll { wait, limit } })
    }
}

fn recent_of(text: Option<Cow<str>>) -> Result<usize, Invalid> {
    Ok(fields::whole_in_query("recent", text.as_deref(), 0..=MOST_RECENT)?.unwrap_or_default())
}

fn filter(
    prefix: Option<Cow<str>>,
    resources: Vec<Cow<str>>,
    owner: Option<Cow<str>>,
    types: Option<Cow<str>>,
) -> Result<Filter, Invalid> {
    let prefix = fields::prefix_in_query(prefix)?;
    if resources.len() > MOST_RESOURCES {
        return Err(Invalid::new("resource", format!("must not come more than {MOST_RESOURCES} times")));
    }
    let mut names = Vec::with_capacity(resources.len());
    for resource in &resources {
        let name = ResourceName::parse(resource).map_err(|rule| Invalid::new("resource", rule))?;
        // To name a lock twice means no more than to name it once.
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let owner = owner.map(|owner| Owner::new(owner.into())).transpose();
    let owner = owner.map_err(|rule| Invalid::new("owner", rule))?;
    let kinds = types.as_deref().map(kinds).transpose()?;
    if names.is_empty() && kinds.is_some_and(|kinds| kinds.has(EventType::Leader) || kinds.has(EventType::Vacant)) {
        return Err(Invalid::new("types", "may have leader and vacant only together with resource"));
    }
    Ok(Filter::new(prefix, names, owner, kinds))
}

fn kinds(types: &str) -> Result<Kinds, Invalid> {
    types.split(',').try_fold(Kinds::default(), |kinds, word| match EventType::from_word(word) {
        Some(kind) => Ok(kinds.with(kind)),
        None => {
            let known: Vec<_> = EventType::ALL.into_iter().map(EventType::as_str).collect();
            Err(Invalid::new("types", format!("has {word:?}; it must be a list with commas of {}", known.join(", "))))
        }
    })
}

/// `since`, or else the header that browsers send when they connect again.
fn since_of(parameter: Option<Cow<str>>, headers: &HeaderMap) -> Result<Option<Since>, Invalid> {
    let header = match headers.get(LAST_EVENT_ID) {
        None => None,
        Some(value) => {
            Some(value.to_str().map_err(|_| Invalid::new("Last-Event-ID", "must be the cursor of an event"))?)
        }
    };
    // A browser repeats the URL with its old `since`, and what it has been told since then is in the header.
    let text = header.or(parameter.as_deref()).filter(|text| !text.is_empty());
    Ok(text.map(|text| Since(text.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(query: &str) -> Result<Asked<Stream>, Invalid> {
        Asked::of_stream(query, &HeaderMap::new())
    }

    fn poll(query: &str) -> Result<Asked<Poll>, Invalid> {
        Asked::of_poll(query, &HeaderMap::new(), Duration::from_secs(60))
    }

    #[test]
    fn what_breaks_a_rule_is_refused_by_its_name() {
        let many: String = (0..17).map(|number| format!("resource=a{number}&")).collect();
        let long = format!("prefix={}", "a".repeat(257));
        for (query, field) in [
            ("until=never", "query"),
            ("prefix=a&prefix=b", "prefix"),
            (&long, "prefix"),
            (many.trim_end_matches('&'), "resource"),
            ("resource=", "resource"),
            ("resource=a%2Fb", "resource"),
            ("owner=", "owner"),
            ("types=", "types"),
            ("types=granted,eaten", "types"),
            ("types=leader", "types"),
            ("snapshot=yes", "snapshot"),
            ("wait=5", "wait"),
            ("limit=5", "limit"),
            ("recent=-1", "recent"),
            ("recent=501", "recent"),
            ("recent=5&snapshot=1", "recent"),
            ("recent=5&resource=a&types=leader", "recent"),
        ] {
            assert_eq!(stream(query).err().map(|invalid| invalid.field), Some(field), "{query}");
        }
        for (query, field) in [
            ("snapshot=1", "snapshot"),
            ("wait=61", "wait"),
            ("wait=-1", "wait"),
            ("wait=x", "wait"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("types=leader&resource=a", "types"),
        ] {
            assert_eq!(poll(query).err().map(|invalid| invalid.field), Some(field), "{query}");
        }
    }

    #[test]
    fn a_request_is_read_with_its_defaults() {
        let asked = stream("resource=a&resource=b%2C&resource=a&types=leader,vacant").expect("a request");
        let names: Vec<_> = asked.filter.resources().iter().map(ResourceName::as_str).collect();
        assert_eq!(names, ["a", "b,"]);
        assert!(asked.has_election() && !asked.form.snapshot && asked.since.is_none());
        assert!(!stream("resource=a").expect("a request").has_election());
        assert!(stream("resource=a&snapshot=1").expect("a request").has_election());
        assert!(!stream("snapshot=1").expect("a request").has_election());
        let asked = poll("wait=0.5").expect("a request");
        assert_eq!((asked.form.wait, asked.form.limit, asked.recent), (Duration::from_millis(500), 500, 0));
        assert_eq!(poll("recent=20&limit=10").expect("a request").recent, 10);
    }

    #[test]
    fn the_header_counts_more_than_the_url_and_an_unknown_text_is_an_unknown_cursor() {
        let cursor = "0123456789ab.5-7.12";
        let headers: HeaderMap =
            [(LAST_EVENT_ID.parse().expect("a name"), cursor.parse().expect("a value"))].into_iter().collect();
        let since = |asked: Asked<Stream>| asked.since.map(|since| since.0.map(|cursor| cursor.to_string()));
        let of_both = Asked::of_stream("since=0123456789ab.1-1.0", &headers).expect("a request");
        assert_eq!(since(of_both), Some(Some(cursor.into())));
        assert_eq!(since(stream("since=nonsense").expect("a request")), Some(None));
        assert_eq!(since(stream("since=").expect("a request")), None);
    }
}
