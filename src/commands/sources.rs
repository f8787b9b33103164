//! Where a server takes its settings from.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;

use super::exit;
use crate::{
    access::Current,
    settings::{Flag, Settings},
};

/// Where settings come from. Every setting can also be given as an environment variable `GORILLA__SECTION__KEY`.
#[derive(Args, Default)]
pub struct Sources {
    /// Read settings from this TOML file; `gorilla config show` prints one to start from
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve on this address, 127.0.0.1:4000 by default
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Keep locks in this Redis, redis://127.0.0.1:6379 by default. Everybody on this machine can read arguments in the
    /// list of processes: put a URL with a password into the environment variable GORILLA__REDIS__URL, or into the file
    /// of --config
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,
}

impl Sources {
    /// The settings that were given as flags.
    pub fn flags(&self) -> Vec<Flag> {
        let flag = |name, key, value: &Option<String>| Some(Flag { name, key, value: value.clone()? });
        let listen = flag("--listen", "server.listen", &self.listen);
        let redis_url = flag("--redis-url", "redis.url", &self.redis_url);
        listen.into_iter().chain(redis_url).collect()
    }

    /// The settings. If they are wrong, writes each problem to standard error.
    pub fn load(&self) -> Result<Settings, ExitCode> {
        Settings::load(self.config.as_deref(), &self.flags()).map_err(|problems| {
            eprint!("gorilla: the settings are wrong:\n{problems}");
            ExitCode::from(exit::CONFIG)
        })
    }

    /// The access file of these settings, if they name one. If it is wrong, or if there must be one and is none, writes
    /// each problem to standard error.
    pub fn access(&self, settings: &Settings) -> Result<Option<Arc<Current>>, ExitCode> {
        settings.check_auth().map_err(|problem| {
            eprintln!("gorilla: the settings are wrong:\n{problem}.");
            ExitCode::from(exit::CONFIG)
        })?;
        let Some(path) = &settings.auth.file else { return Ok(None) };
        Current::open(path).map(Some).map_err(|problems| {
            eprint!("gorilla: the access file is wrong:\n{problems}");
            ExitCode::from(exit::CONFIG)
        })
    }
}
