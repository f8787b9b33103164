//! Hides what must not be recorded in texts that a client chose.

use std::{borrow::Cow, fmt, sync::OnceLock};

use percent_encoding::percent_decode_str;
use uuid::Uuid;

/// What stands in place of a secret.
const MASK: &str = "***";
/// In bytes. A shorter secret is hidden only where it is the whole text: it would be found in many words.
const SHORTEST: usize = 8;
/// How an API key begins, and how many digits of it are public.
const KEY: &str = "gorilla_";
const ID: usize = 8;
/// A key has more secret digits. So a part of a key is hidden too.
const SECRET: usize = 16;
/// In bytes: no form of a UUID is shorter.
const SHORTEST_UUID: usize = 32;

/// The secrets of a request: its API key, its token, its Idempotency-Key. `Debug` hides them. Most texts are shorter than
/// any secret, so nothing is made of the secrets until a text is longer.
#[derive(Clone)]
pub struct Secrets {
    /// As they came.
    all: Vec<String>,
    /// In bytes. A shorter text has none of them, in whatever form.
    shortest: usize,
    /// The forms in which they are looked for, from when they were first needed.
    forms: OnceLock<Vec<String>>,
}

impl Secrets {
    /// No secrets but API keys, which are hidden whoever has them.
    pub const fn none() -> Self {
        Self { all: Vec::new(), shortest: KEY.len() + ID + 1 + SECRET, forms: OnceLock::new() }
    }

    /// Adds a secret. A token may come in any form of a UUID.
    pub fn add(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        self.shortest = self.shortest.min(shortest_form(secret));
        self.all.push(secret.into());
        self.forms.take();
    }

    /// Whether there are none but API keys of others.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A text with its secrets hidden.
    pub fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // Percent-decoding makes no text longer.
        if text.len() < self.shortest {
            return text.into();
        }
        if text.contains('%') && self.hides(&percent_decode_str(text).decode_utf8_lossy()) {
            return MASK.into();
        }
        self.hidden(text)
    }

    fn hides(&self, text: &str) -> bool {
        matches!(self.hidden(text), Cow::Owned(_))
    }

    fn hidden<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let lower = text.to_ascii_lowercase();
        let forms = self.forms.get_or_init(|| forms(&self.all));
        let is_in = |form: &String| if form.len() < SHORTEST { lower == *form } else { lower.contains(form.as_str()) };
        if !text.contains(KEY) && !forms.iter().any(is_in) {
            return text.into();
        }
        let secret = |from: usize| {
            let rest = &lower[from..];
            let known = forms.iter().filter(|secret| match secret.len() < SHORTEST {
                true => lower == **secret,
                false => rest.starts_with(secret.as_str()),
            });
            known.map(String::len).chain(key_length(&text[from..])).max()
        };
        let (mut hidden, mut shown, mut at) = (String::new(), 0, 0);
        while at < text.len() {
            match secret(at) {
                Some(length) => {
                    hidden.push_str(&text[shown..at]);
                    hidden.push_str(MASK);
                    at += length;
                    shown = at;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if shown == 0 {
            return text.into();
        }
        hidden.push_str(&text[shown..]);
        hidden.into()
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self::none()
    }
}

/// The length of the shortest text that may be a form of a secret, or has it: not longer than that.
fn shortest_form(secret: &str) -> usize {
    // As in `forms`.
    let secret = secret.split_once('.').map_or(secret, |(_, secret)| secret);
    if secret.len() < SHORTEST { 0 } else { secret.len().min(SHORTEST_UUID) }
}

/// The forms in which secrets are looked for.
fn forms(secrets: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for secret in secrets {
        // The token of a shared lock begins with the id of the lock, which is no secret.
        let without_id = secret.split_once('.').filter(|(id, _)| Uuid::try_parse(id).is_ok()).map(|(_, secret)| secret);
        for secret in [Some(secret.as_str()), without_id].into_iter().flatten().filter(|secret| !secret.is_empty()) {
            let uuid = Uuid::try_parse(secret).ok();
            let uuid = uuid.map(|uuid| [uuid.hyphenated().to_string(), uuid.simple().to_string()]);
            for form in uuid.into_iter().flatten().chain([secret.to_ascii_lowercase()]) {
                if !all.contains(&form) {
                    all.push(form);
                }
            }
        }
    }
    all
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Secrets(hidden)")
    }
}

/// The length of the API key with which a text begins, whoever has it.
fn key_length(text: &str) -> Option<usize> {
    let (id, secret) = text.strip_prefix(KEY)?.split_once('_')?;
    let digits = secret.bytes().take_while(u8::is_ascii_alphanumeric).count();
    (id.len() == ID && digits >= SECRET).then_some(KEY.len() + ID + 1 + digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "997f2fe4-d0cb-4d03-b066-beeea3b31eec";

    fn secrets(all: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        all.iter().for_each(|secret| secrets.add(secret));
        secrets
    }

    #[test]
    fn a_secret_is_hidden_in_whatever_form_it_comes() {
        let secrets = secrets(&[TOKEN, "my-idempotency-key"]);
        let simple = TOKEN.replace('-', "");
        for (text, masked) in [
            (TOKEN, "***"),
            (&*format!("a {TOKEN} b"), "a *** b"),
            (&*format!("{TOKEN}{TOKEN}"), "******"),
            (&*TOKEN.to_uppercase(), "***"),
            (&*simple, "***"),
            (&*TOKEN.replace('-', "%2d"), "***"),
            ("é my-Idempotency-key é", "é *** é"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(secrets.masked(text), masked, "{text}");
        }
    }

    #[test]
    fn the_secret_of_a_shared_lock_is_hidden_without_its_id_too() {
        let id = "01a207bc-4cb5-75c8-b04d-e6e049346456";
        let secrets = secrets(&[&format!("{id}.{TOKEN}")]);
        assert_eq!(secrets.masked(&format!("x{TOKEN}x")), "x***x");
        assert_eq!(secrets.masked(&format!("{id}.{TOKEN}")), "***");
        assert_eq!(secrets.masked(id), id);
    }

    #[test]
    fn every_api_key_is_hidden() {
        let key = format!("gorilla_Ab3dEf9h_{}", "x1".repeat(24));
        assert_eq!(secrets(&[]).masked(&format!("the key {key}, he said")), "the key ***, he said");
        assert_eq!(secrets(&[]).masked("gorilla_Ab3dEf9h_short gorilla_é"), "gorilla_Ab3dEf9h_short gorilla_é");
    }

    #[test]
    fn what_is_added_later_is_hidden_too() {
        let mut secrets = secrets(&[TOKEN]);
        assert_eq!(
            secrets.masked("a longer text than any form of a UUID has"),
            "a longer text than any form of a UUID has"
        );
        secrets.add("text than any");
        assert_eq!(secrets.masked("a longer text than any form of a UUID has"), "a longer *** form of a UUID has");
    }

    proptest! {
        /// A text is looked at only if it is long enough to have a secret.
        #[test]
        fn no_text_is_too_short_to_be_looked_at(
            secret in "[a-z0-9-]{1,40}|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}|[a-z.]{1,12}", at in 0..3_usize,
            form in 0..4_usize,
        ) {
            let id = Uuid::nil();
            let whole = if at == 0 { format!("{id}.{secret}") } else { secret.clone() };
            let uuid = Uuid::try_parse(&secret).ok();
            let written = match (form, uuid) {
                (0, Some(uuid)) => uuid.simple().to_string(),
                (1, Some(uuid)) => uuid.hyphenated().to_string().to_uppercase(),
                (2, _) => secret.to_uppercase(),
                (3, _) => secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
                _ => secret,
            };
            prop_assert_eq!(secrets(&[&whole]).masked(&written), MASK);
        }
    }

    #[test]
    fn a_short_secret_hides_only_itself() {
        assert_eq!(secrets(&["1"]).masked("1"), "***");
        assert_eq!(secrets(&["1"]).masked("host-1"), "host-1");
    }
}
