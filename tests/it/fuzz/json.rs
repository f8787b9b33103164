//! JSON as text, because no serialiser writes what it must have: names that come twice, numbers that no type holds,
//! surrogates without their other half.

use proptest::{collection::vec, prelude::*, sample::select};

/// Numbers and what people take for numbers, at the edges of what a lease may be and of what parsers can.
pub const NUMBERS: [&str; 34] = [
    "0",
    "-0",
    "0.1",
    "0.0999999",
    "0.09950000001",
    "0.0995",
    "86400",
    "86400.0004",
    "86400.0005",
    "86400.001",
    "1e308",
    "1e309",
    "-1e309",
    "1e-400",
    "1E+2",
    "0.1e1",
    "8.64e4",
    "9007199254740993",
    "123456789012345678901234567890",
    "-1",
    "\"30\"",
    "\"1e1\"",
    "\"NaN\"",
    "\"inf\"",
    "\"-Infinity\"",
    "\"+30\"",
    "\" 30\"",
    "\"3_0\"",
    "\"0x10\"",
    "\"１\"",
    "\"\"",
    "\"\\u0033\"",
    "\"e\"",
    "\"--1\"",
];

/// Text that is not JSON, in places where a value belongs.
pub const NO_JSON: [&str; 12] =
    ["NaN", "Infinity", "-", "01", "1.", ".5", "+1", "'a'", "undefined", "tru", "\"\\x\"", "\"\u{1}\""];

/// A JSON string, in quotes. Surrogates may be alone: as text that is valid JSON.
pub fn string() -> impl Strategy<Value = String> {
    let part = select(vec![
        "a",
        "B",
        " ",
        "\\u0000",
        "\\u001f",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u00e9",
        "\\ud83e\\udd8d",
        "\\ud800",
        "\\udc00",
        "é",
        "🦍",
        "\u{7f}",
        "\u{85}",
        "\u{feff}",
        "\u{202e}",
        "[",
        "{",
        "]",
        ",",
        ":",
    ]);
    vec(part, 0..8).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

/// White space between the parts; mostly there is none.
pub fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just(""), 1 => select(vec![" ", "\n", "\t ", "\r\n"])]
}

/// Any JSON, as text.
pub fn json() -> impl Strategy<Value = String> {
    let number = select(NUMBERS.to_vec()).prop_map(String::from);
    let leaf = prop_oneof![
        2 => select(vec!["null", "true", "false", "[]", "{}"]).prop_map(String::from),
        3 => number,
        1 => any::<f64>().prop_filter("a JSON number", |float| float.is_finite()).prop_map(|float| format!("{float:e}")),
        1 => any::<i64>().prop_map(|whole| whole.to_string()),
        3 => string(),
        1 => (1..90usize, string()).prop_map(|(deep, inner)| format!("{}{inner}{}", "[".repeat(deep), "]".repeat(deep))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let item = (space(), inner.clone()).prop_map(|(space, value)| format!("{space}{value}{space}"));
        // A name may come more than once.
        let member =
            (string(), space(), inner).prop_map(|(name, space, value)| format!("{space}{name}{space}:{value}"));
        prop_oneof![
            vec(item, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}
