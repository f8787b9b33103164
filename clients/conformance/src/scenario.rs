//! The format of a scenario, and all scenarios.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use crate::fake::Rule;

/// What must be true of every client, and how to find out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What must be true.
    pub name: String,
    /// Why it matters.
    #[serde(default)]
    pub why: String,
    /// The cases and rules of the contract that it is about.
    pub covers: Vec<String>,
    /// Who answers.
    pub(crate) server: Server,
    /// Capabilities without which it does not apply to a client.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Options of the client.
    #[serde(default)]
    pub client: Map<String, Value>,
    /// The API key.
    #[serde(default)]
    pub key: Option<String>,
    /// Settings of a replica of its own.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// What the fake expects and does.
    #[serde(default)]
    pub(crate) script: Vec<Rule>,
    /// What the runner does.
    pub(crate) steps: Vec<Step>,
    /// What must be true in the end.
    #[serde(default)]
    pub(crate) expect: Expect,
}

/// Who answers the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    Fake,
    Replica,
}

/// One thing that the runner does.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    /// For the agent, or for the runner.
    pub members: Value,
    pub about: About,
}

/// What the runner makes of the answer to a step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub ok: Option<Value>,
    pub error: Option<Value>,
    /// Any answer is as good.
    #[serde(default)]
    pub free: bool,
    /// Don't wait for the answer, and call the command so.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// Seconds until the answer must be there.
    pub within: Option<f64>,
    /// Which process of the agent gets the command.
    pub agent: Option<Agent>,
}

/// A process of the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agent {
    #[default]
    First,
    Second,
}

/// What must be true in the end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expect {
    /// These came in this order; others may stand between.
    #[serde(default)]
    pub events: Vec<String>,
    /// These did not come.
    #[serde(default)]
    pub never: Vec<String>,
    /// How many different Idempotency-Keys requests had.
    #[serde(default)]
    pub keys: BTreeMap<String, Value>,
    /// How many requests came.
    #[serde(default)]
    pub requests: BTreeMap<String, Value>,
    /// How many requests were answered to the end: the client did not hang up.
    #[serde(default)]
    pub answered: BTreeMap<String, Value>,
    /// How many seconds before the end of the lease at the server, at least, the event `lost` came.
    #[serde(default)]
    pub lost_early: Option<f64>,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Vec::<Value>::deserialize(deserializer)?;
        let mut parts = parts.into_iter();
        let Some(Value::String(name)) = parts.next() else {
            return Err(de::Error::custom("a step begins with its name"));
        };
        let members = parts.next().unwrap_or_else(|| Value::Object(Map::new()));
        let about = parts.next().map_or_else(|| Ok(About::default()), serde_json::from_value);
        if parts.next().is_some() {
            return Err(de::Error::custom("a step has three parts at most"));
        }
        Ok(Self { name, members, about: about.map_err(de::Error::custom)? })
    }
}

/// The scenarios of all files in `scenarios/`, by name.
///
/// # Errors
/// A file that can't be read, is not JSON, or has a member that nobody knows; a name that comes twice.
pub fn all_scenarios() -> Result<Vec<Scenario>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut all = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let scenarios: Vec<Scenario> =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        for scenario in scenarios {
            if let Some(twice) = all.insert(scenario.name.clone(), scenario) {
                return Err(format!("two scenarios have the name {}", twice.name));
            }
        }
    }
    Ok(all.into_values().collect())
}
