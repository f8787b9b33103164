//! The parameters of a query.

use std::borrow::Cow;

use super::invalid::Invalid;

/// What a query has.
pub struct Given<'a, const N: usize> {
    /// The values of the parameters that come once, in the order in which they were asked for.
    pub single: [Option<Cow<'a, str>>; N],
    /// The values of the parameter that may be repeated.
    pub repeated: Vec<Cow<'a, str>>,
}

/// The values of these parameters, in their order. Another parameter, and one that comes twice, is refused: a client that
/// sends a parameter means something by it.
pub fn parameters<'a, const N: usize>(
    query: &'a str,
    known: [&'static str; N],
) -> Result<[Option<Cow<'a, str>>; N], Invalid> {
    read(query, known, None).map(|given| given.single)
}

/// The same, and a parameter that may be repeated.
pub fn parameters_and<'a, const N: usize>(
    query: &'a str,
    known: [&'static str; N],
    repeated: &'static str,
) -> Result<Given<'a, N>, Invalid> {
    read(query, known, Some(repeated))
}

fn read<'a, const N: usize>(
    query: &'a str,
    known: [&'static str; N],
    repeated: Option<&'static str>,
) -> Result<Given<'a, N>, Invalid> {
    let mut given = Given { single: known.map(|_| None), repeated: Vec::new() };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if repeated.is_some_and(|repeated| repeated == name) {
            given.repeated.push(value);
            continue;
        }
        let Some(at) = known.iter().position(|known| *known == name) else {
            let known: Vec<_> = known.into_iter().chain(repeated).collect();
            let problem = format!("has the unknown parameter {name:?}; known are {}", known.join(", "));
            return Err(Invalid::new("query", problem));
        };
        if given.single[at].replace(value).is_some() {
            return Err(Invalid::new(known[at], "must not come more than once"));
        }
    }
    Ok(given)
}
