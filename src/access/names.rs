//! The names of keys and roles.

/// The rule for names, as part of a sentence.
pub const RULE: &str = "must be 1 to 64 lower-case letters, digits, '.', '_' or '-', with a letter or a digit first";

/// Whether a text may be the name of a key or a role. It has no colon, so that the name and what follows can be told
/// apart behind a colon.
pub fn is_name(text: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = text.bytes();
    text.len() <= 64 && bytes.next().is_some_and(is_first) && bytes.all(|byte| is_first(byte) || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn only_short_plain_texts_are_names() {
        for name in ["a", "0", "orders-prod", "a.b_c-d", &"a".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for other in ["", "-a", ".a", "A", "a:b", "a b", "é", "a\n", &"a".repeat(65)] {
            assert!(!is_name(other), "{other:?}");
        }
    }
}
