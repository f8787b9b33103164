//! Where a server takes its settings from.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;

use super::exit;
use crate::{
    access::Current,
    printable::for_people,
    serve::Certificate,
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

    /// The same for a command that serves: what the files have that the settings name is right, too.
    pub fn load_to_serve(&self) -> Result<Settings, ExitCode> {
        let settings = self.load()?;
        let certificate = settings.server.tls.as_ref().map(|files| Certificate::in_files(files).read());
        let certificate =
            certificate.transpose().map_err(|problem| format!("server.tls_certificate, server.tls_key: {problem}"));
        if let Err(problem) = certificate.and(settings.check_auth()).and(settings.check_audit()) {
            eprintln!("gorilla: the settings are wrong:\n{}", for_people(&problem));
            return Err(ExitCode::from(exit::CONFIG));
        }
        Ok(settings)
    }

    /// The access file of these settings, if they name one. Its warnings go to the log. If it is wrong, writes each problem
    /// to standard error.
    pub fn access(settings: &Settings) -> Result<Option<Arc<Current>>, ExitCode> {
        let clustered = settings.redis.url.is_cluster();
        let access = settings.auth.file.as_deref().map(|file| Current::open(file, clustered));
        let access = access.transpose().map_err(|problems| {
            eprint!("gorilla: the access file is wrong:\n{problems}");
            ExitCode::from(exit::CONFIG)
        })?;
        Ok(access.map(Arc::new))
    }
}
