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
}

/// The language with the values that do not change from request to request.
pub fn with(language: &Language, values: &[(&str, String)]) -> Language {
    let mut language = language.clone();
    for exchange in language.values_mut().flatten() {
        exchange.ask = filled(&exchange.ask, values);
        exchange.body = filled(&exchange.body, values);
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
}

impl Speaker {
    /// Connects, and makes the requests of the opening.
    pub async fn connect(address: SocketAddr, language: Language) -> Result<Self> {
        let connection = Connection::open(address).await?;
        let mut speaker = Self { connection, language, token: String::new(), lease: String::new() };
        speaker.exchange(Step::Opening).await?;
        Ok(speaker)
    }

    /// Makes the requests of a step. Any other answer than the expected one is an error, which ends the whole load: a
    /// figure of refused requests would mean nothing.
    async fn exchange(&mut self, step: Step) -> Result<u64> {
        let exchanges = self.language.get(&step).map(Vec::as_slice).unwrap_or_default();
        for Exchange { ask, body, status, contains, token, lease, keeps_new } in exchanges {
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
        Ok(exchanges.len() as u64)
    }
}

impl Client for Speaker {
    async fn step(&mut self, step: Step) -> Result<u64> {
        let requests = self.exchange(step).await?;
        ensure!(requests > 0, "this server has no request for {step:?}");
        Ok(requests)
    }
}
