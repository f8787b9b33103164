//! The text of an access file as roles and keys, each checked alone. docs/reference/access-file.md is about the file.

use std::time::SystemTime;

use gorilla_domain::{Lease, Owner, ResourceName, Verb};
use toml::de::DeTable;

use super::{
    digest::Digest,
    entry::{Entry, Field, nearest},
    expiry,
    key::Key,
    name::Name,
    notes::Notes,
    role::{Quota, Rate, Role},
    rule::{Rule, Target},
};

/// What stands in the file. If there were problems, it lacks what was wrong.
#[derive(Default)]
pub struct File {
    /// Each `[[role]]` with its place in the file.
    pub roles: Vec<(usize, Role)>,
    /// Each `[[key]]`.
    pub keys: Vec<KeyEntry>,
}

/// A `[[key]]`.
pub struct KeyEntry {
    /// Its place in the file.
    pub at: usize,
    /// The name of the identity.
    pub name: String,
    /// The name of its role, with its place.
    pub role: Option<(usize, String)>,
    /// Each hash, with its place.
    pub hashes: Vec<(usize, Digest)>,
    /// When its keys end to be valid.
    pub expires: Option<SystemTime>,
    /// What the owners of its locks must begin with.
    pub owner_prefix: Option<String>,
}

impl File {
    /// Reads the file. If the notes have a problem afterwards, the file is invalid.
    pub fn read(text: &str, notes: &mut Notes) -> Self {
        if text.trim().is_empty() {
            notes.problem(None, "", "is empty");
            return Self::default();
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors {
                let at = error.span().map(|span| span.start);
                notes.problem(at, "", format!("is not valid TOML: {}", error.message()));
            }
            // What the rest would mean is a guess.
            return Self::default();
        }
        let mut file = Entry::new(String::new(), 0, table.get_ref());
        let roles = tables(&mut file, "role", notes).into_iter().map(|entry| role(entry, notes)).collect();
        let keys: Vec<_> = tables(&mut file, "key", notes).into_iter().map(|entry| key(entry, notes)).collect();
        if keys.is_empty() {
            notes.problem(None, "", "has no [[key]], so nobody could do anything");
        }
        for later in ["jwt", "mtls"] {
            if let Some(field) = file.optional(later) {
                file.refuse(notes, field, format!("[[{later}]] is not supported yet"));
            }
        }
        file.finish(notes);
        Self { roles, keys }
    }
}

/// The tables `[[kind]]` of the file.
fn tables<'a>(file: &mut Entry<'a>, kind: &'static str, notes: &mut Notes) -> Vec<Entry<'a>> {
    let Some(field) = file.optional(kind) else { return Vec::new() };
    let tables = file.items(notes, field, &format!("tables that begin with [[{kind}]]"));
    tables.into_iter().flatten().filter_map(|item| file.table(notes, item)).map(|entry| entry.called(kind)).collect()
}

fn role(mut entry: Entry, notes: &mut Notes) -> (usize, Role) {
    let name = name(&mut entry, notes).unwrap_or_default();
    let rules = entry.required(notes, "rules").and_then(|field| entry.items(notes, field, "a list of rules"));
    let rules: Vec<_> = rules.into_iter().flatten().filter_map(|item| entry.table(notes, item)).collect();
    let rules: Vec<_> = rules.into_iter().filter_map(|rule_entry| rule(rule_entry, notes)).collect();
    let waits = rules.iter().filter(|(_, rule)| rule.verbs.contains(Verb::Wait));
    for (at, Rule { target, .. }) in waits {
        let allows = |(_, rule): &(usize, Rule)| rule.verbs.contains(Verb::Acquire) && rule.target.includes(target);
        if !rules.iter().any(allows) {
            let text = format!("allows wait where {target}, which means nothing without acquire there");
            notes.problem(Some(*at), entry.label(), text);
        }
    }
    let limits = entry.optional("quota").and_then(|field| entry.table(notes, field));
    let quota = limits.map(|limits| quota(limits, notes)).unwrap_or_default();
    let at = entry.finish(notes);
    (at, Role { name, rules: rules.into_iter().map(|(_, rule)| rule).collect(), quota })
}

/// A rule with its place.
fn rule(mut entry: Entry, notes: &mut Notes) -> Option<(usize, Rule)> {
    let prefix = entry.optional("prefix");
    let name = entry.optional("name");
    let target = match (prefix, name) {
        (Some(field), None) => entry.text(notes, field).and_then(|text| prefix_target(&entry, field, text, notes)),
        (None, Some(field)) => entry.text(notes, field).and_then(|text| name_target(&entry, field, text, notes)),
        _ => {
            entry.problem(notes, "has a rule that must have either prefix or name");
            None
        }
    };
    let verbs = entry.required(notes, "verbs").and_then(|field| {
        let items: Vec<_> = entry.items(notes, field, "a list of verbs")?.collect();
        if items.is_empty() {
            entry.refuse(notes, field, "verbs must have at least one verb");
        }
        Some(items.into_iter().filter_map(|item| Some((item, verb(&entry, item, notes)?))).collect::<Vec<_>>())
    });
    let (target, verbs) = (target, verbs.unwrap_or_default());
    if let Some((field, _)) = verbs.iter().find(|(_, verb)| *verb == Verb::Metrics)
        && target.as_ref().is_some_and(|target| !target.is_everything())
    {
        entry.doubt(notes, *field, "allows metrics in a rule without prefix = \"\", which has no effect");
    }
    let at = entry.finish(notes);
    Some((at, Rule { target: target?, verbs: verbs.into_iter().map(|(_, verb)| verb).collect() }))
}

fn prefix_target(entry: &Entry, field: Field, prefix: &str, notes: &mut Notes) -> Option<Target> {
    // A name may begin with dots, and not be nothing else.
    if !["", ".", ".."].contains(&prefix)
        && let Err(broken) = ResourceName::parse(prefix)
    {
        entry.refuse(notes, field, format!("prefix = {prefix:?} {broken}"));
        return None;
    }
    if prefix.ends_with('*') {
        entry.doubt(notes, field, format!("prefix = {prefix:?} is no pattern: it means names that have the '*' too"));
    } else if prefix.ends_with(char::is_alphanumeric) {
        let text = format!(
            "prefix = {prefix:?} also covers names such as {:?}; end it with a separator, such as {:?}",
            format!("{prefix}-admin"),
            format!("{prefix}:")
        );
        entry.doubt(notes, field, text);
    }
    Some(Target::Prefix(prefix.into()))
}

fn name_target(entry: &Entry, field: Field, name: &str, notes: &mut Notes) -> Option<Target> {
    if let Err(broken) = ResourceName::parse(name) {
        entry.refuse(notes, field, format!("name = {name:?} {broken}"));
        return None;
    }
    if name.ends_with('*') {
        entry.doubt(notes, field, format!("name = {name:?} is no pattern: it means the one resource with this name"));
    } else if name.ends_with([':', '.', '_', '-']) {
        entry.doubt(
            notes,
            field,
            format!("name = {name:?} means one resource; write prefix if all below it are meant"),
        );
    }
    Some(Target::Name(name.into()))
}

fn verb(entry: &Entry, field: Field, notes: &mut Notes) -> Option<Verb> {
    let text = entry.text(notes, field)?;
    let verb = text.parse();
    if let Err(unknown) = verb {
        let hint = nearest(&Verb::ALL.map(Verb::as_str), text);
        entry.refuse(notes, field, format!("the verb {text:?} {unknown}{hint}"));
    }
    verb.ok()
}

fn quota(mut entry: Entry, notes: &mut Notes) -> Quota {
    let max_held = entry.optional("max_held").and_then(|field| entry.number(notes, field));
    let max_waiters = entry.optional("max_waiters").and_then(|field| entry.number(notes, field));
    let per_second = entry.optional("per_second");
    let burst = entry.optional("burst");
    if let (None, Some(field)) = (per_second, burst) {
        entry.refuse(notes, field, "burst means nothing without per_second");
    }
    let per_second = per_second.and_then(|field| entry.number(notes, field));
    let burst = burst.and_then(|field| entry.number(notes, field));
    let max_timeout = entry.optional("max_timeout").and_then(|field| {
        let longest = entry.duration(notes, field)?;
        if longest < Lease::SHORTEST {
            entry.refuse(notes, field, "max_timeout must be at least 100ms, the shortest lease");
        }
        Some(longest)
    });
    let max_wait = entry.optional("max_wait").and_then(|field| entry.duration(notes, field));
    entry.finish(notes);
    let rate = per_second.map(|per_second| Rate { per_second, burst: burst.unwrap_or(per_second) });
    Quota { max_held, max_waiters, rate, max_timeout, max_wait }
}

fn key(mut entry: Entry, notes: &mut Notes) -> KeyEntry {
    let name = name(&mut entry, notes).unwrap_or_default();
    let role = entry.required(notes, "role");
    let role = role.and_then(|field| Some((field.at, entry.text(notes, field)?.into())));
    let hashes = entry.required(notes, "hashes").and_then(|field| {
        let items: Vec<_> = entry.items(notes, field, "a list of hashes")?.collect();
        if items.is_empty() {
            entry.refuse(notes, field, "hashes must have at least one hash");
        }
        Some(items.into_iter().filter_map(|item| Some((item.at, hash(&entry, item, notes)?))).collect())
    });
    let expires = entry.optional("expires").and_then(|field| {
        let time = expiry::parse(&entry.text_or_time(notes, field, expiry::RULE)?);
        if time.is_none() {
            entry.refuse(notes, field, format!("expires must be {}", expiry::RULE));
        }
        time
    });
    let owner_prefix = entry.optional("owner_prefix").and_then(|field| {
        let prefix = entry.text(notes, field)?;
        if !(1..=Owner::LONGEST).contains(&prefix.len()) {
            entry.refuse(notes, field, format!("owner_prefix must have 1 to {} bytes", Owner::LONGEST));
        }
        Some(prefix.into())
    });
    let at = entry.finish(notes);
    KeyEntry { at, name, role, hashes: hashes.unwrap_or_default(), expires, owner_prefix }
}

/// A hash. No message repeats it, because it may be something secret.
fn hash(entry: &Entry, field: Field, notes: &mut Notes) -> Option<Digest> {
    let text = entry.text(notes, field)?;
    let digest = Digest::parse(text);
    if digest.is_none() {
        let problem = match Key::parse(text) {
            Ok(_) => "hashes has a key instead of its hash: make another key, because everybody who has seen this file has it".into(),
            Err(_) => format!("a hash must be {}", Digest::RULE),
        };
        entry.refuse(notes, field, problem);
    }
    digest
}

/// The name of a role or an identity. A wrong name is noted and returned, so that what refers to it isn't wrong too.
fn name(entry: &mut Entry, notes: &mut Notes) -> Option<String> {
    let field = entry.required(notes, "name")?;
    let name = entry.text(notes, field)?;
    if let Err(wrong) = name.parse::<Name>() {
        entry.refuse(notes, field, format!("name = {name:?} {wrong}"));
    }
    Some(name.into())
}
