//! Which server, and how to be let in.

use std::{env, fs, io, path::PathBuf, process::ExitCode};

use clap::Args;
use gorilla_client::{Client, Error};
use serde::Deserialize;

use crate::commands::{exit, tell};

const DEFAULT_URL: &str = "http://127.0.0.1:4000";

/// The server of a command.
#[derive(Args)]
pub struct Remote {
    /// The server, or the load balancer in front of it [default: that of ~/.config/gorilla/config.toml, or
    /// http://127.0.0.1:4000]. The API key is taken from GORILLA_API_KEY or that file
    #[arg(long, value_name = "URL", env = "GORILLA_URL", hide_env_values = true, global = true)]
    url: Option<String>,
}

/// The file for what one would not like to repeat.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    url: Option<String>,
    api_key: Option<String>,
}

impl Remote {
    /// A client, or what is wrong on standard error.
    pub fn client(&self) -> Result<Client, ExitCode> {
        let file = File::read().map_err(|problem| {
            tell(problem);
            ExitCode::from(exit::CONFIG)
        })?;
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let url = given(&self.url).or(file.url).unwrap_or_else(|| DEFAULT_URL.into());
        let mut builder = Client::builder(url);
        if let Some(key) = given(&env::var("GORILLA_API_KEY").ok()).or(file.api_key) {
            builder = builder.api_key(key);
        }
        builder.build().map_err(|error| exit::with(&error))
    }
}

impl File {
    /// An error is a sentence without what is in the file, which may be secret.
    fn read() -> Result<Self, String> {
        let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let Some(folder) = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config"))) else {
            return Ok(Self::default());
        };
        let path = folder.join("gorilla/config.toml");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(format!("{} can't be read: {error}.", path.display())),
        };
        let source = config::File::from_str(&text, config::FileFormat::Toml);
        let file = config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize);
        file.map_err(|_| {
            format!("{} is not as it must be: TOML with `url` and `api_key`, both strings, at most.", path.display())
        })
    }
}

/// Runs a request to its end.
pub fn block_on<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, ExitCode> {
    crate::commands::runtime(1)?.block_on(request).map_err(|error| exit::with(&error))
}
