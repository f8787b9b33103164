//! The language of a server: its requests over HTTP for each step of a client, which contestants.toml has and explains.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use uuid::Uuid;

use crate::{http::Connection, load::Client, workload::Step};

/// The requests about a lock, for each step that a server knows.
pub type Language = BTreeMap<Step, Vec<Exchange>>;

/// A request, and the answer that must come.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// The method and the path, or lines.
    ask: String,
    body: String,
    status: Option<u16>,
    contains: String,
    token: Option<String>,
    lease: Option<String>,
    keeps_new: bool,
    /// An item of a batch, and how many it has.
    each: String,
    times: usize,
}

/// The language with the values that do not change from request to request.
pub fn with(language: &Language, values: &[(&str, String)]) -> Language {
    let mut language = language.clone();
    for exchange in language.values_mut().flatten() {
        exchange.ask = filled(&exchange.ask, values);
        exchange.body = filled(&exchange.body, values);
        exchange.each = filled(&exchange.each, values);
    }
    language
}

/// A text in which values replace their names in braces.
pub fn filled(text: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, value))
}

/// A client that speaks such a language.
pub struct Speaker {
    connection: Connection,
    language: Language,
    token: String,
    lease: String,
    /// The tokens of a batch, one for each item.
    tokens: Vec<String>,
    /// Bodies of batches, which stay the same as long as the tokens do.
    bodies: BTreeMap<Step, String>,
}

impl Speaker {
    /// Connects, and makes the requests of the opening.
    pub async fn connect(address: SocketAddr, language: Language) -> Result<Self> {
        let connection = Connection::open(address).await?;
        let (token, lease, tokens, bodies) = (String::new(), String::new(), vec![], BTreeMap::new());
        let mut speaker = Self { connection, language, token, lease, tokens, bodies };
        speaker.exchange(Step::Opening).await?;
        Ok(speaker)
    }

    /// Makes the requests of a step. Any other answer than the expected one is an error, which ends the whole load: a
    /// figure of refused requests would mean nothing. Returns how many requests that were; each item of a batch counts.
    async fn exchange(&mut self, step: Step) -> Result<u64> {
        let exchanges = self.language.get(&step).map(Vec::as_slice).unwrap_or_default();
        for Exchange { ask, body, status, contains, token, lease, keeps_new, each, times } in exchanges {
            if *times > 0 {
                let all = self.bodies.entry(step).or_insert_with(|| batch(body, each, *times, &self.tokens));
                let (method, path) = ask.split_once(' ').context("a batch has a method and a path")?;
                let answer = self.connection.ask(method, path, all).await?;
                ensure!(answer.status == 200 && answer.body.contains(contains), "a batch was answered {answer:.400?}");
                if let Some(before) = token {
                    let words = answer.body.split(before.as_str()).skip(1);
                    self.tokens = words.filter_map(|rest| Some(rest.split('"').next()?.into())).collect();
                    self.bodies.clear();
                }
                continue;
            }
            let (new, id) = (Uuid::new_v4().to_string(), Uuid::now_v7().to_string());
            let kept = [("{token}", self.token.clone()), ("{lease}", self.lease.clone())];
            let values = [kept, [("{new}", new.clone()), ("{id}", id)]].concat();
            let (asked, connection) = (filled(ask, &values), &mut self.connection);
            let answer = match asked.split_once(' ').filter(|_| !asked.ends_with('\n')) {
                Some((method, path)) => connection.ask(method, path, &filled(body, &values)).await?,
                None => connection.ask_line(&asked).await?,
            };
            let is_right = answer.status == status.unwrap_or(200) && answer.body.contains(contains);
            ensure!(is_right, "{asked:?} was answered {answer:?}");
            if *keeps_new {
                self.token = new;
            }
            for (kept, before) in [(&mut self.token, token), (&mut self.lease, lease)] {
                if let Some(before) = before {
                    *kept = answer.word_after(before).with_context(|| format!("{before} is not in {answer:?}"))?.into();
                }
            }
        }
        Ok(exchanges.iter().map(|exchange| exchange.times.max(1) as u64).sum())
    }
}

/// The body of a batch.
fn batch(body: &str, each: &str, times: usize, tokens: &[String]) -> String {
    let item = |number: usize| {
        let token = tokens.get(number).cloned().unwrap_or_default();
        filled(each, &[("{number}", format!("{number:04}")), ("{token}", token)])
    };
    body.replace("{items}", &(0..times).map(item).collect::<Vec<_>>().join(","))
}

impl Client for Speaker {
    async fn step(&mut self, step: Step) -> Result<u64> {
        let requests = self.exchange(step).await?;
        ensure!(requests > 0, "this server has no request for {step:?}");
        Ok(requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_each_item_with_its_number_and_its_token() {
        let tokens = ["x", "y"].map(String::from);
        assert_eq!(batch("[{items}]", "{number}:{token}", 2, &tokens), "[0000:x,0001:y]");
        assert_eq!(batch("[{items}]", "{number}", 1, &[]), "[0000]");
    }
}
