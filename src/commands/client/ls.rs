//! `gorilla ls`: lists the locks that are held.: lists the locks that are held.

use std::process::ExitCode;

use clap::Args;

use super::{Remote, remote::block_on, show};

/// List the locks that are held.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  gorilla ls\n  gorilla ls deploy- --json | jq -r .owner\n  gorilla ls --owner worker-7"
)]
pub struct Ls {
    /// List only the locks whose names begin with this
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// List only the locks that this owner holds
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Print JSON, one lock a line, with the fields of the HTTP API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Ls {
    pub fn run(&self) -> Result<(), ExitCode> {
        let client = self.remote.client()?;
        let mut all = Vec::new();
        block_on(async {
            let mut cursor = None;
            loop {
                let page = match &self.owner {
                    None => client.page(&self.prefix, cursor.as_deref()).await?,
                    Some(owner) => client.page_of_owner(owner, &self.prefix, cursor.as_deref()).await?,
                };
                match self.json {
                    true => page.locks.iter().for_each(show::json),
                    false => all.extend(page.locks),
                }
                cursor = page.cursor;
                if cursor.is_none() {
                    return Ok(());
                }
            }
        })?;
        if !self.json {
            all.sort_by(|a, b| a.resource.cmp(&b.resource));
            all.dedup_by(|a, b| a.resource == b.resource);
            match all.is_empty() {
                true => {
                    let which = if self.prefix.is_empty() { "" } else { " whose name begins so" };
                    let by_whom = if self.owner.is_none() { "" } else { " by that owner" };
                    eprintln!("No lock{which} is held{by_whom}.")
                }
                false => show::list(&all),
            }
        }
        Ok(())
    }
}
