//! One generation of the access file.

use std::{
    collections::{HashMap, HashSet, hash_map},
    fmt,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use super::{
    digest::Digest,
    entry::{label, nearest},
    file::{File, KeyEntry},
    finding::{Problems, Warning},
    identity::Identity,
    key::{Key, WrongKey},
    meter::OwnMeter,
    notes::Notes,
    role::Role,
};

/// All keys and roles of an access file, checked. It never changes.
#[derive(Debug, Default)]
pub struct Access {
    by_digest: HashMap<Digest, Known>,
    by_name: HashMap<Box<str>, Arc<Identity>>,
    /// Its number.
    generation: u64,
}

/// A key of which the file has the digest.
#[derive(Debug)]
struct Known {
    /// Whose key it is.
    identity: Arc<Identity>,
    /// The same with the id of the key, which only the key itself tells: from when it is first presented.
    presented: OnceLock<Arc<Identity>>,
}

/// Why a key identifies nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// The text doesn't have the form of a key.
    Malformed,
    /// The text has the form of a key, and a digit is wrong.
    BadChecksum,
    /// The access file doesn't have the key, or no longer.
    Unknown,
    /// The key was valid until a time that has passed.
    Expired,
}

impl Access {
    /// Reads an access file. The error has every problem at once.
    pub fn parse(text: &str) -> Result<(Self, Vec<Warning>), Problems> {
        let mut notes = Notes::default();
        let File { roles, keys } = File::read(text, &mut notes);
        refuse_names_twice("role", roles.iter().map(|(at, role)| (*at, role.name.as_str())), &mut notes);
        refuse_names_twice("key", keys.iter().map(|key| (key.at, key.name.as_str())), &mut notes);
        let roles: HashMap<_, _> = roles.into_iter().map(|(_, role)| (role.name.clone(), Arc::new(role))).collect();
        let (by_digest, by_name) = (HashMap::with_capacity(keys.len()), HashMap::with_capacity(keys.len()));
        let mut access = Self { by_digest, by_name, generation: 0 };
        for key in keys {
            access.add(key, &roles, &mut notes);
        }
        notes.finish(text).map(|warnings| (access, warnings))
    }

    /// The same, as the generation of this number.
    pub fn numbered(self, generation: u64) -> Self {
        Self { generation, ..self }
    }

    /// Whether this generation, if it has a number, has identified somebody. Then it would say the same again, unless the
    /// keys have expired since.
    pub fn has_said(&self, identity: &Identity) -> bool {
        self.generation > 0 && self.generation == identity.generation
    }

    /// Who presents a key.
    pub fn identify(&self, presented: &str, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let key = Key::parse(presented)?;
        self.find(key.digest(), key.id(), now)
    }

    /// What this generation says about somebody whom an earlier one identified, and who may have waited since: its
    /// rights may have changed, and its key may be revoked or expired. A key is revoked also if the identity has another
    /// one now.
    pub fn again(&self, identity: &Identity, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        self.find(identity.digest.ok_or(Denied::Unknown)?, &identity.key_id, now)
    }

    /// Who has a key, also if it has expired.
    pub fn by_digest(&self, digest: Digest) -> Option<&Arc<Identity>> {
        self.by_digest.get(&digest).map(|known| &known.identity)
    }

    /// Whether an identity may hold only so many locks.
    pub fn bounds_held(&self) -> bool {
        self.identities().any(|identity| identity.role.quota.max_held.is_some())
    }

    /// An identity, without a key of it.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Identity>> {
        self.by_name.get(name)
    }

    /// All identities, in no order.
    pub fn identities(&self) -> impl ExactSizeIterator<Item = &Arc<Identity>> {
        self.by_name.values()
    }

    fn find(&self, digest: Digest, key_id: &str, now: SystemTime) -> Result<Arc<Identity>, Denied> {
        let Known { identity, presented } = self.by_digest.get(&digest).ok_or(Denied::Unknown)?;
        if identity.has_expired(now) {
            return Err(Denied::Expired);
        }
        let with_key = || Identity {
            key_id: key_id.into(),
            digest: Some(digest),
            generation: self.generation,
            ..(**identity).clone()
        };
        Ok(presented.get_or_init(|| Arc::new(with_key())).clone())
    }

    fn add(&mut self, key: KeyEntry, roles: &HashMap<String, Arc<Role>>, notes: &mut Notes) {
        let KeyEntry { name, role, hashes, expires, owner_prefix, .. } = key;
        let entry = label("key", &name);
        // That a role is missing has been noted.
        let Some((role_at, role)) = role else { return };
        let Some(role) = roles.get(&role) else {
            let known: Vec<_> = roles.keys().map(String::as_str).collect();
            let text = format!("role = {role:?} is not the name of a [[role]] of this file{}", nearest(&known, &role));
            return notes.problem(Some(role_at), &entry, text);
        };
        let role = role.clone();
        let identity = Arc::new(Identity {
            name,
            key_id: String::new(),
            role,
            owner_prefix,
            expires,
            digest: None,
            generation: 0,
            meter: OwnMeter::default(),
        });
        for (at, digest) in hashes {
            match self.by_digest.entry(digest) {
                hash_map::Entry::Vacant(place) => {
                    place.insert(Known { identity: identity.clone(), presented: OnceLock::new() });
                }
                hash_map::Entry::Occupied(other) => {
                    let other = label("key", &other.get().identity.name);
                    notes.problem(Some(at), &entry, format!("hashes has a hash that {other} has already"));
                }
            }
        }
        self.by_name.insert(identity.name.as_str().into(), identity);
    }
}

/// Notes each `[[kind]]` that has the name of an earlier one.
fn refuse_names_twice<'a>(kind: &str, names: impl Iterator<Item = (usize, &'a str)>, notes: &mut Notes) {
    let mut seen = HashSet::new();
    for (at, name) in names {
        // That a name is missing has been noted.
        if !seen.insert(name) && !name.is_empty() {
            notes.problem(Some(at), &label(kind, name), format!("has the name of an earlier [[{kind}]]"));
        }
    }
}

impl From<WrongKey> for Denied {
    fn from(wrong: WrongKey) -> Self {
        match wrong {
            WrongKey::Malformed => Self::Malformed,
            WrongKey::BadChecksum => Self::BadChecksum,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Malformed => WrongKey::Malformed.fmt(f),
            Self::BadChecksum => WrongKey::BadChecksum.fmt(f),
            Self::Unknown => f.write_str("The access file does not have this key"),
            Self::Expired => f.write_str("The key has expired"),
        }
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::access::Finding;
    use gorilla_domain::Verb;

    const ROLE: &str = "[[role]]\nname = \"r\"\nrules = [{ prefix = \"a:\", verbs = [\"acquire\"] }]\n";

    fn key_entry(name: &str, key: &Key, more: &str) -> String {
        format!("[[key]]\nname = \"{name}\"\nrole = \"r\"\nhashes = [\"{}\"]\n{more}\n", key.digest())
    }

    fn new_key() -> Key {
        Key::generate().expect("random digits")
    }

    fn valid(text: &str) -> Access {
        let (access, warnings) = Access::parse(text).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(warnings, []);
        access
    }

    /// The problems of a file as they are told.
    fn problems(text: &str) -> Vec<String> {
        let Err(Problems(problems)) = Access::parse(text) else { panic!("there should be a problem in:\n{text}") };
        problems.iter().map(ToString::to_string).collect()
    }

    /// The warnings of a role with a rule.
    fn warnings(rule: &str) -> Vec<String> {
        let text = format!("[[role]]\nname = \"r\"\nrules = [{rule}]\n{}", key_entry("k", &new_key(), ""));
        let (_, warnings) = Access::parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
        warnings.iter().map(ToString::to_string).collect()
    }

    /// The example of the document.
    fn example() -> String {
        let page = include_str!("../../docs/reference/access-file.md");
        let (_, example) = page.split_once("```toml\n").expect("an example");
        example.split_once("```").expect("its end").0.into()
    }

    #[test]
    fn the_example_of_the_document_is_valid_and_means_what_the_document_says() {
        let access = valid(&example());
        let identity = |name| access.by_name(name).expect("an identity").clone();
        let orders = identity("orders-prod");
        assert!(orders.may(Verb::Acquire, "orders:1") && orders.may(Verb::Inspect, "nightly"));
        assert!(!orders.may(Verb::Acquire, "nightly") && !orders.may(Verb::Acquire, "orders"));
        assert!(!orders.may(Verb::Acquire, "Orders:1") && !orders.may(Verb::Break, "orders:1"));
        assert!(orders.may_be_owner("orders/7") && !orders.may_be_owner("Orders/7") && identity("ci").may_be_owner(""));
        let scope = orders.scope(Verb::Inspect);
        assert_eq!(scope.parts(), ["nightly", "orders:"]);
        assert!(orders.scope(Verb::List).is_empty() && !orders.may_everywhere(Verb::Inspect));
        let operator = identity("on-call");
        assert!(operator.may_everywhere(Verb::Metrics) && operator.may(Verb::Break, "any"));
        assert!(operator.scope(Verb::List).is_everything() && !operator.may(Verb::Acquire, "any"));
        let quota = &orders.role.quota;
        let numbers = [quota.max_held, quota.max_waiters, quota.rate.map(|rate| rate.per_second)];
        assert_eq!(numbers.map(|number| number.map_or(0, u32::from)), [100, 50, 200]);
        assert_eq!(
            (quota.max_timeout, quota.max_wait),
            (Some(Duration::from_secs(300)), Some(Duration::from_secs(30)))
        );
        assert_eq!(identity("ci").role.quota, Default::default());
        assert_eq!(access.identities().len(), 3);
    }

    #[test]
    fn a_key_identifies_whose_digest_the_file_has_until_it_expires() {
        let (one, two, unknown) = (new_key(), new_key(), new_key());
        let text = format!(
            "{ROLE}[[key]]\nname = \"k\"\nrole = \"r\"\nhashes = [\"{}\", \"{}\"]\nexpires = 1970-01-01T00:01:00Z\n",
            one.digest(),
            two.digest()
        );
        let access = valid(&text);
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for key in [&one, &two] {
            let identity = access.identify(key.as_str(), at(59)).expect("known");
            assert_eq!(
                (identity.name.as_str(), identity.key_id.as_str(), identity.role.name.as_str()),
                ("k", key.id(), "r")
            );
            assert!(Arc::ptr_eq(&identity, &access.identify(key.as_str(), at(0)).expect("known")));
            assert_eq!(access.identify(key.as_str(), at(60)), Err(Denied::Expired));
            assert_eq!(access.again(&identity, at(59)), Ok(identity.clone()));
            assert_eq!(access.again(&identity, at(60)), Err(Denied::Expired));
        }
        assert_eq!(access.by_name("k").map(|identity| identity.key_id.as_str()), Some(""));
        assert_eq!(access.identify(unknown.as_str(), at(0)), Err(Denied::Unknown));
        assert_eq!(access.identify("gorilla_", at(0)), Err(Denied::Malformed));
        let (checked, last) = one.as_str().split_at(Key::LENGTH - 1);
        let other = if last == "0" { '1' } else { '0' };
        assert_eq!(access.identify(&format!("{checked}{other}"), at(0)), Err(Denied::BadChecksum));
    }

    #[test]
    fn a_key_that_the_next_generation_lacks_is_revoked_even_if_its_identity_has_another_key() {
        let (old, new) = (new_key(), new_key());
        let now = SystemTime::now();
        let before = valid(&format!("{ROLE}{}", key_entry("k", &old, "")));
        let identity = before.identify(old.as_str(), now).expect("known");
        let after = valid(&format!("{ROLE}{}", key_entry("k", &new, "")));
        assert!(after.by_name("k").is_some());
        assert_eq!(after.again(&identity, now), Err(Denied::Unknown));
        // And rights are those of the new generation.
        let less = valid(&format!("{}{}", ROLE.replace("a:", "b:"), key_entry("k", &old, "")));
        let again = less.again(&identity, now).expect("known");
        assert!(identity.may(Verb::Acquire, "a:1") && !again.may(Verb::Acquire, "a:1"));
        assert_eq!(again.key_id, old.id());
    }

    #[test]
    fn every_problem_is_said_at_once_with_its_place() {
        let digest = new_key().digest();
        let text = format!(
            "\
[[role]]
name = \"Deploy\"
rules = [
    {{ prefix = \"a:\", name = \"a\", verbs = [\"acquire\"] }},
    {{ prefix = \"b/\", verbs = [] }},
    {{ name = \"\", verbs = [\"aquire\", 5], verb = \"list\" }},
    {{ prefix = \"c:\", verbs = [\"wait\"] }},
]
quota = {{ max_held = 0, burst = 5, max_timeout = \"1ms\", max_wait = \"soon\", per_secnd = 1 }}
colour = \"red\"
[[role]]
name = \"r\"
[[role]]
name = \"r\"
rules = \"all\"
[[key]]
name = \"a\"
role = \"Deploy\"
hashes = [\"{digest}\", \"{digest}\"]
[[key]]
name = \"a\"
role = \"deploi\"
hashes = []
expires = 2027-06-01T00:00:00
owner_prefix = \"\"
[[key]]
role = 7
hashes = [\"sha256:12\"]
[[key]]
name = \"a\"
role = \"r\"
hashes = [\"{digest}\"]
[[jwt]]
name = \"gh\"
[[mtls]]
[other]
"
        );
        let expected = [
            "line 2, column 8: [[role]] \"Deploy\" name = \"Deploy\" must be 1 to 64 small letters",
            "line 4, column 5: [[role]] \"Deploy\" has a rule that must have either prefix or name",
            "line 5, column 16: [[role]] \"Deploy\" prefix = \"b/\" must not contain \"/\"",
            "line 5, column 30: [[role]] \"Deploy\" verbs must have at least one verb",
            "line 6, column 14: [[role]] \"Deploy\" name = \"\" is 0 bytes long",
            "line 6, column 27: [[role]] \"Deploy\" the verb \"aquire\" must be one of acquire, wait, extend",
            "line 6, column 37: [[role]] \"Deploy\" verbs must be text in quotes",
            "line 6, column 41: [[role]] \"Deploy\" has no field \"verb\"; did you mean verbs?",
            "line 7, column 5: [[role]] \"Deploy\" allows wait where prefix = \"c:\", which means nothing without acquire",
            "line 9, column 22: [[role]] \"Deploy\" max_held must be a whole number from 1",
            "line 9, column 33: [[role]] \"Deploy\" burst means nothing without per_second",
            "line 9, column 50: [[role]] \"Deploy\" max_timeout must be at least 100ms",
            "line 9, column 68: [[role]] \"Deploy\" max_wait must be a duration such as",
            "line 9, column 76: [[role]] \"Deploy\" has no field \"per_secnd\"; did you mean per_second?",
            "line 10, column 1: [[role]] \"Deploy\" has no field \"colour\"",
            "line 11, column 1: [[role]] \"r\" lacks rules",
            "line 13, column 1: [[role]] \"r\" has the name of an earlier [[role]]",
            "line 15, column 9: [[role]] \"r\" rules must be a list of rules",
            "line 19, column 86: [[key]] \"a\" hashes has a hash that [[key]] \"a\" has already",
            "line 20, column 1: [[key]] \"a\" has the name of an earlier [[key]]",
            "line 22, column 8: [[key]] \"a\" role = \"deploi\" is not the name of a [[role]] of this file",
            "line 23, column 10: [[key]] \"a\" hashes must have at least one hash",
            "line 24, column 11: [[key]] \"a\" expires must be a time with its offset",
            "line 25, column 16: [[key]] \"a\" owner_prefix must have 1 to 256 bytes",
            "line 26, column 1: [[key]] lacks name",
            "line 27, column 8: [[key]] role must be text in quotes",
            "line 28, column 11: [[key]] a hash must be sha256: and 64 hexadecimal digits",
            "line 29, column 1: [[key]] \"a\" has the name of an earlier [[key]]",
            "line 32, column 11: [[key]] \"a\" hashes has a hash that [[key]] \"a\" has already",
            "line 33, column 1: [[jwt]] is not supported yet",
            "line 35, column 1: [[mtls]] is not supported yet",
            "line 36, column 2: has no field \"other\"",
        ];
        let said = problems(&text);
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "\n{said}\nshould begin with\n{expected}");
        }
        assert_eq!(said.len(), expected.len(), "{said:#?}");
    }

    #[test]
    fn a_file_that_is_empty_or_has_no_key_or_is_no_toml_is_a_problem() {
        for empty in ["", "  \n\t\n"] {
            assert_eq!(problems(empty), ["is empty"]);
        }
        for without in ["# nothing\n", ROLE, "key = []\n"] {
            assert_eq!(problems(without), ["has no [[key]], so nobody could do anything"]);
        }
        let single = problems("[key]\nname = \"a\"\n");
        assert_eq!(single[1..], ["line 1, column 1: key must be tables that begin with [[key]]"], "{single:?}");
        let broken = problems("[[key]]\nname = \"a\nrole = \"b\"\nhashes = [\n");
        assert!(broken.len() > 1 && broken[0].starts_with("line 2, column "), "{broken:?}");
        assert!(broken.iter().all(|problem| problem.contains("is not valid TOML: ")), "{broken:?}");
    }

    #[test]
    fn wait_needs_acquire_on_the_same_resources_in_any_rule_of_the_role() {
        let of = |rules: &str| format!("[[role]]\nname = \"r\"\nrules = [{rules}]\n{}", key_entry("k", &new_key(), ""));
        let waits = "{ prefix = \"a:b:\", verbs = [\"wait\"] }, ";
        for enough in ["{ prefix = \"a:\", verbs = [\"acquire\"] }", "{ prefix = \"\", verbs = [\"acquire\"] }"] {
            valid(&of(&format!("{waits}{enough}")));
        }
        for too_little in
            ["{ prefix = \"a:b:c:\", verbs = [\"acquire\"] }", "{ name = \"a:b:c\", verbs = [\"acquire\"] }"]
        {
            let said = problems(&of(&format!("{waits}{too_little}")));
            assert!(said.len() == 1 && said[0].contains("allows wait where prefix = \"a:b:\""), "{said:?}");
        }
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_warned_about() {
        for (rule, says) in [
            ("{ prefix = \"orders\", verbs = [\"list\"] }", "also covers names such as \"orders-admin\""),
            ("{ prefix = \"shard1\", verbs = [\"list\"] }", "end it with a separator, such as \"shard1:\""),
            ("{ prefix = \"ä\", verbs = [\"list\"] }", "prefix = \"ä\" also covers"),
            ("{ prefix = \"orders:*\", verbs = [\"list\"] }", "is no pattern"),
            ("{ name = \"orders:*\", verbs = [\"list\"] }", "the one resource with this name"),
            ("{ name = \"orders:\", verbs = [\"list\"] }", "write prefix"),
            ("{ prefix = \"a:\", verbs = [\"list\", \"metrics\"] }", "metrics in a rule without prefix = \"\""),
        ] {
            let said = warnings(rule);
            assert!(said.len() == 1 && said[0].contains(says), "{rule}: {said:?}");
            assert!(said[0].starts_with("line 3, column ") && said[0].contains("[[role]] \"r\""), "{said:?}");
        }
        for clear in ["", "orders:", "orders.", "orders_", "orders-", "orders#"] {
            let rule = format!("{{ prefix = \"{clear}\", verbs = [\"list\", \"acquire\"] }}");
            assert_eq!(warnings(&rule).is_empty(), clear != "orders", "{clear}");
        }
    }

    #[test]
    fn a_key_in_place_of_its_hash_is_told_and_not_repeated() {
        let key = new_key();
        let text = format!("{ROLE}[[key]]\nname = \"k\"\nrole = \"r\"\nhashes = [\"{}\"]\n", key.as_str());
        let said = problems(&text);
        assert!(said[0].contains("has a key instead of its hash: make another key"), "{said:?}");
        assert!(!said[0].contains(key.id()), "{said:?}");
    }

    #[test]
    fn ten_thousand_keys_are_read_and_found() {
        let mut text = ROLE.to_string();
        let digest = |number: usize| format!("sha256:{number:064x}");
        for number in 0..10_000 {
            text += &format!("[[key]]\nname = \"k{number}\"\nrole = \"r\"\nhashes = [\"{}\"]\n", digest(number));
        }
        let access = valid(&text);
        assert_eq!((access.identities().len(), access.by_digest.len()), (10_000, 10_000));
        let digest = Digest::parse(&digest(9_999)).expect("a digest");
        assert_eq!(access.find(digest, "id", SystemTime::now()).expect("known").name, "k9999");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Somebody may put a key anywhere, and what is said about the file goes to the log.
        #[test]
        fn no_message_repeats_a_key_or_a_hash_wherever_it_stands(
            at in any::<prop::sample::Index>(), length in 0..9_usize, quoted in any::<bool>(),
        ) {
            let key = new_key();
            let (secret, digest) = (&key.as_str()[17..], key.digest().to_string());
            for word in [key.as_str(), &digest] {
                let mut text = example();
                let begin = (0..=at.index(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
                let end = (begin + length).min(text.len());
                text.replace_range(begin..end, &if quoted { format!("\"{word}\"") } else { word.to_string() });
                let said = match Access::parse(&text) {
                    Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect::<String>(),
                    Err(problems) => problems.to_string(),
                };
                prop_assert!(!said.contains(secret) && !said.contains(&digest[7..]), "{}", said);
            }
        }

        #[test]
        fn a_file_that_is_cut_or_changed_anywhere_is_valid_or_has_problems(
            at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), other in "\\PC{0,3}|[\\[\\]{}\"=,\n0-9a-z]{0,3}",
        ) {
            let text = example();
            let (one, other_end) = (at.index(text.len()), to.index(text.len()));
            let (begin, end) = (one.min(other_end), one.max(other_end));
            for text in [&text[..begin], &format!("{}{other}{}", &text[..begin], &text[end..])] {
                if let Err(Problems(problems)) = Access::parse(text) {
                    prop_assert!(!problems.is_empty());
                    let lines = text.lines().count() + 1;
                    let is_there = |finding: &Finding| finding.position.is_none_or(|(line, _)| line <= lines);
                    prop_assert!(problems.iter().all(is_there));
                }
            }
        }
    }
}
