//! `gorilla can`: tells whether an identity may do something.

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use gorilla_domain::Verb;

use super::{access_file, client::name};
use crate::{
    access::{Access, nearest},
    printable::for_people,
    rfc3339::Rfc3339,
};

/// Tell whether an access file allows something, and which rule does.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 yes, 1 no, 78 the access file is wrong\n\n\
    Examples:\n  gorilla can --file access.toml ci acquire deploy\n  gorilla can --file access.toml on-call metrics")]
pub struct Can {
    /// The access file
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The name of a [[key]] of the file
    #[arg(value_name = "KEYNAME")]
    key: String,
    /// What its holder wants to do
    #[arg(value_name = "VERB", value_parser = verb())]
    verb: Verb,
    /// The name of the lock; without it the question is about all locks
    #[arg(value_name = "RESOURCE", value_parser = name)]
    resource: Option<String>,
}

impl Can {
    pub fn run(&self) -> Result<(), ExitCode> {
        let access = access_file::load(&self.file)?;
        match self.judge(&access) {
            Ok(why) => {
                println!("yes\n{}", for_people(&why));
                Ok(())
            }
            Err(why) => {
                println!("no\n{}", for_people(&why));
                Err(ExitCode::FAILURE)
            }
        }
    }

    /// Why the identity may, or why it may not.
    fn judge(&self, access: &Access) -> Result<String, String> {
        let Some(identity) = access.by_name(&self.key) else {
            let known: Vec<_> = access.identities().map(|identity| identity.name.as_str()).collect();
            return Err(format!("The file has no [[key]] {:?}{}", self.key, nearest(&known, &self.key)));
        };
        if let Some(expires) = identity.expires.filter(|_| identity.has_expired(SystemTime::now())) {
            return Err(format!("The keys of {} expired at {}.", self.key, Rfc3339::to_seconds(expires).as_str()));
        }
        let (role, verb) = (&identity.role, self.verb);
        // What is not about a resource is about all of them.
        let resource = self.resource.as_deref().filter(|_| verb != Verb::Metrics);
        let rule = match resource {
            Some(resource) => role.rule_for(verb, resource),
            None => role.rule_for_everything(verb),
        };
        match (rule, resource) {
            (Some(rule), _) => Ok(format!("The role {} has the rule {rule}.", role.name)),
            (None, Some(resource)) => {
                Err(format!("The role {} has no rule that allows {verb} on {resource:?}.", role.name))
            }
            (None, None) => Err(format!("The role {} has no rule with prefix = \"\" that allows {verb}.", role.name)),
        }
    }
}

/// Parses a verb. Help and completions list all of them.
fn verb() -> impl TypedValueParser<Value = Verb> {
    PossibleValuesParser::new(Verb::ALL.map(Verb::as_str)).try_map(|text| text.parse::<Verb>())
}
