//! Reads values with their sources, and collects every problem instead of stopping at the first.

use std::{collections::BTreeMap, fmt, path::Path};

use config::{Config, ConfigError, Environment, File, FileFormat, Value, ValueKind};

use super::{
    kinds::Kind,
    text::{items, masked},
};
use crate::printable::for_people;

const DEFAULTS: &str = include_str!("defaults.toml");
const SECRETS: [&str; 1] = ["redis.url"];

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As the user writes it, `--listen`.
    pub name: &'static str,
    /// The setting that it overrides, `server.listen`.
    pub key: &'static str,
    /// Its value.
    pub value: String,
}

/// A problem with the settings.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The setting, or empty if a source as a whole is wrong.
    pub key: String,
    /// What is wrong, and what would be right.
    pub problem: String,
    /// Where the value comes from.
    pub source: String,
}

/// All problems with the settings; never empty.
#[derive(Clone, Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for Problem { key, problem, source } in &self.0 {
            let gap = if key.is_empty() { "" } else { " " };
            writeln!(f, "{}", for_people(&format!("{key}{gap}{problem} (from {source})")))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

pub(super) struct Reader {
    defaults: BTreeMap<String, Value>,
    values: BTreeMap<String, Value>,
    flags: BTreeMap<&'static str, &'static str>,
    file: String,
    problems: Vec<Problem>,
}

impl Reader {
    pub fn open(file: Option<&Path>, flags: &[Flag]) -> Result<Self, Problems> {
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let mut all = defaults.clone();
        if let Some(path) = file {
            all = all.add_source(File::from(path).format(FileFormat::Toml));
        }
        all = all
            .add_source(Environment::with_prefix("GORILLA").prefix_separator("__").separator("__").ignore_empty(true));
        let unreadable = |source: String| {
            move |error: ConfigError| {
                Problems(vec![Problem { key: String::new(), problem: without_excerpt(error), source }])
            }
        };
        for flag in flags {
            all = all.set_override(flag.key, flag.value.clone()).map_err(unreadable(format!("flag {}", flag.name)))?;
        }
        let file_name = file.map_or("the environment".into(), |path| path.display().to_string());
        let values = all.build().map_err(unreadable(file_name.clone()))?;
        let defaults = defaults.build().map_err(unreadable("the defaults".into()))?;
        let mut reader = Self {
            defaults: leaves(defaults.cache),
            values: leaves(values.cache),
            flags: flags.iter().map(|flag| (flag.key, flag.name)).collect(),
            file: file_name,
            problems: Vec::new(),
        };
        reader.refuse_unknown();
        Ok(reader)
    }

    /// The value of a setting. If that is wrong, notes the problem and returns the default.
    pub fn take<K: Kind>(&mut self, key: &str) -> K {
        let default = &self.defaults[key];
        let problem = match self.values.get(key).map(|value| text(value, default)) {
            Some(given) => match K::parse(&given) {
                Ok(value) => return value,
                // A message must not repeat a secret.
                Err(problem) if SECRETS.contains(&key) => problem,
                Err(problem) => format!("= {given:?} {problem}"),
            },
            None => "is not set, because its section was set to a single value".into(),
        };
        self.refuse(key, problem);
        let default = &self.defaults[key];
        K::parse(&text(default, default)).expect("a test checks that the defaults are valid")
    }

    /// Notes a problem with a setting, once.
    pub fn refuse(&mut self, key: &str, problem: String) {
        if self.problems.iter().any(|noted| noted.key == key) {
            return;
        }
        let source = self.source(key);
        self.problems.push(Problem { key: key.into(), problem, source });
    }

    pub fn finish(self) -> Result<(), Problems> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }

    pub fn show(&self) -> String {
        let mut shown = String::new();
        let mut section = "";
        for (key, value) in &self.values {
            let Some((head, name)) = key.split_once('.') else { continue };
            if head != section {
                shown += &format!("{}[{head}]\n", if section.is_empty() { "" } else { "\n" });
                section = head;
            }
            // A key without a default is not a setting: `refuse_unknown` has refused it.
            let Some(default) = self.defaults.get(key) else { continue };
            let text = text(value, default);
            let value = match &value.kind {
                _ if is_list(default) => format!("{:?}", items(&text)),
                ValueKind::String(_) if SECRETS.contains(&key.as_str()) => format!("{:?}", masked(&text)),
                ValueKind::String(_) => format!("{text:?}"),
                _ => text,
            };
            shown += &format!("{name} = {value}  # {}\n", for_people(&self.source(key)));
        }
        shown
    }

    fn refuse_unknown(&mut self) {
        let unknown: Vec<_> = self.values.keys().filter(|key| !self.defaults.contains_key(*key)).cloned().collect();
        for key in unknown {
            if self.defaults.keys().any(|known| known.starts_with(&format!("{key}."))) {
                self.refuse(&key, "is a section, not a setting".into());
                continue;
            }
            let nearest = self.defaults.keys().min_by_key(|known| strsim::damerau_levenshtein(known, &key));
            let hint = nearest.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            self.refuse(&key, format!("is not a setting{hint}"));
        }
    }

    fn source(&self, key: &str) -> String {
        if let Some(flag) = self.flags.get(key) {
            return format!("flag {flag}");
        }
        match self.values.get(key).and_then(Value::origin) {
            None => "default".into(),
            Some("the environment") => {
                format!("environment variable GORILLA__{}", key.replace('.', "__").to_uppercase())
            }
            // The origin itself has the path in a form that the user did not write.
            Some(_) => self.file.clone(),
        }
    }
}

/// What is wrong with a source, on one line, without the line of the file that an error of TOML shows: that may have a
/// password.
fn without_excerpt(error: ConfigError) -> String {
    let text = match error {
        ConfigError::FileParse { cause, .. } => cause.to_string(),
        error => error.to_string(),
    };
    let is_excerpt = |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let lines: Vec<_> = text.lines().filter(|line| !is_excerpt(line) && !line.is_empty()).collect();
    lines.join(": ")
}

/// The settings by their dotted names.
fn leaves(root: Value) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, value: Value, leaves: &mut BTreeMap<String, Value>) {
        match value.kind {
            ValueKind::Table(table) => {
                for (name, value) in table {
                    let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                    walk(&key, value, leaves);
                }
            }
            _ => {
                leaves.insert(prefix.into(), value);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", root, &mut found);
    found
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Array(_))
}

/// A value as a user would write it in the environment, where a list is text with commas. A list in place of another
/// kind of value becomes text that no setting accepts.
fn text(value: &Value, default: &Value) -> String {
    let plain = |value: &Value| value.clone().into_string().unwrap_or_else(|_| format!("{:?}", value.kind));
    match &value.kind {
        ValueKind::Array(items) if is_list(default) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        _ => plain(value),
    }
}
