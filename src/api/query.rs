//! The parameters of a query.

use std::borrow::Cow;

use super::invalid::Invalid;

/// The values of these parameters, in their order. Another parameter, and one that comes twice, is refused: a client that
/// sends a parameter means something by it.
pub fn parameters<'a, const N: usize>(
    query: &'a str,
    known: [&'static str; N],
) -> Result<[Option<Cow<'a, str>>; N], Invalid> {
    let mut given = known.map(|_| None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let Some(at) = known.iter().position(|known| *known == name) else {
            let problem = match known.as_slice() {
                [] => format!("has the unknown parameter {name:?}; none is known here"),
                _ => format!("has the unknown parameter {name:?}; known are {}", known.join(", ")),
            };
            return Err(Invalid::new("query", problem));
        };
        if given[at].replace(value).is_some() {
            return Err(Invalid::new(known[at], "must not come more than once"));
        }
    }
    Ok(given)
}
