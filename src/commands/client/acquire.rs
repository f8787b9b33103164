//! `gorilla acquire`: takes a lock that outlives the command.: takes a lock that outlives the command.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Asking, Remote, asking::name, remote::block_on, show::Form};
use crate::commands::lock::Reporter;

/// Acquire a lock that outlives this command.
#[derive(Args)]
#[command(after_help = concat!(
    "The lock ends with its lease unless you extend it. For most purposes use `gorilla lock`, which renews the lock by itself.\n\n",
    "Examples:\n  token=$(gorilla acquire deploy --ttl 10m -q)\n  gorilla acquire report -n --json | jq .fence\n  \
    token=$(gorilla acquire imports --limit 10 --permits 2 -q)"
))]
pub struct Acquire {
    /// What to lock: any name without `/` and control characters, up to 256 bytes
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    remote: Remote,
}

impl Acquire {
    pub fn run(&self) -> Result<(), ExitCode> {
        let (client, warning) = self.remote.client_and_warning()?;
        let reporter = Reporter::new(&client, std::slice::from_ref(&self.name), self.form.json, self.form.quiet);
        if let Some(warning) = warning {
            reporter.warn("warning", json!({ "reason": warning }), &warning);
        }
        let lock = block_on(async {
            let request = self.asking.request(&client, &self.name);
            request.on_progress(reporter.reporting()).acquire_unguarded().await
        })?;
        self.form.lock(&lock);
        Ok(())
    }
}
