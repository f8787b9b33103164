//! Which server a command talks to, and with which API key.

use std::{
    env,
    fs::{self, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use gorilla_client::{Client, Error};
use serde::Deserialize;

use crate::commands::{exit, messages::tell, runtime::runtime};

/// The environment variable with the API key. Only gorilla gets it, not the commands that gorilla runs.
pub const API_KEY: &str = "GORILLA_API_KEY";
const DEFAULT_URL: &str = "http://127.0.0.1:4000";

/// The server of a command.
#[derive(Args)]
pub struct Remote {
    /// The server, or the load balancer in front of it [default: `url` in ~/.config/gorilla/config.toml, else
    /// http://127.0.0.1:4000]. The API key comes from GORILLA_API_KEY or that file
    #[arg(long, value_name = "URL", env = "GORILLA_URL", hide_env_values = true, global = true)]
    url: Option<String>,

    /// A file in PEM with the certificate authorities to trust, in place of those of this machine [default: `ca` in that
    /// file]
    #[arg(long, value_name = "FILE", env = "GORILLA_CA", hide_env_values = true, global = true)]
    ca: Option<PathBuf>,
}

/// The file with the address and the API key, so that a user need not repeat them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    url: Option<String>,
    api_key: Option<String>,
    ca: Option<PathBuf>,
}

impl Remote {
    /// A client. If the settings are wrong, writes the problem to standard error.
    pub fn client(&self) -> Result<Client, ExitCode> {
        let (client, warning) = self.client_and_warning()?;
        if let Some(warning) = warning {
            tell(warning);
        }
        Ok(client)
    }

    /// The same for commands that have their own form of warnings: returns the warning about the file beside the
    /// client.
    pub fn client_and_warning(&self) -> Result<(Client, Option<String>), ExitCode> {
        let (file, warning) = File::read().map_err(|problem| {
            tell(problem);
            ExitCode::from(exit::CONFIG)
        })?;
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let url = given(&self.url).or(file.url).unwrap_or_else(|| DEFAULT_URL.into());
        let mut builder = Client::builder(url);
        if let Some(key) = given(&env::var(API_KEY).ok()).or(file.api_key) {
            builder = builder.api_key(key);
        }
        let given = self.ca.clone().filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = given.or(file.ca) {
            let pem = fs::read(&path).map_err(|error| {
                tell(format!("the certificate authorities in {} can't be read: {error}.", path.display()));
                ExitCode::from(exit::CONFIG)
            })?;
            builder = builder.certificate_authorities(pem);
        }
        builder.build().map(|client| (client, warning)).map_err(|error| exit::with(&error))
    }
}

impl File {
    /// The file, and a warning if other users may read or change it. Neither the warning nor an error repeats the
    /// content of the file, which may be secret.
    fn read() -> Result<(Self, Option<String>), String> {
        let folder = env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let Some(folder) = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config"))) else {
            return Ok(Default::default());
        };
        let path = folder.join("gorilla/config.toml");
        let (metadata, text) = match open(&path) {
            Ok(opened) => opened,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Default::default());
            }
            Err(error) => return Err(format!("{} can't be read: {error}.", path.display())),
        };
        let source = config::File::from_str(&text, config::FileFormat::Toml);
        let file = config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize);
        let mut file: Self = file.map_err(|_| {
            format!(
                "{} is wrong: it must be TOML, and may have only `url`, `api_key` and `ca`, all strings.",
                path.display()
            )
        })?;
        // A path in the file counts from the folder of the file.
        file.ca = file.ca.map(|ca| folder.join("gorilla").join(ca));
        let warning = file.danger(&path, &metadata).map(|danger| format!("warning: {danger}."));
        Ok((file, warning))
    }

    /// What other users can do by means of the file, and how to prevent it. None if they can do nothing.
    fn danger(&self, path: &Path, metadata: &Metadata) -> Option<String> {
        let (path, mode, owner) = (path.display(), metadata.mode() & 0o7777, metadata.uid());
        // Root can do anything in any case.
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            return Some(format!(
                "{path} belongs to another user (id {owner}, mode {mode:04o}). That user can change which server the commands \
                 talk to. Make the file your own, and run chmod 600 on it"
            ));
        }
        let (open_to, can) = match self.api_key {
            Some(_) => (0o066, "read or change the API key in it"),
            None => (0o002, "change which server the commands talk to"),
        };
        (mode & open_to != 0)
            .then(|| format!("{path} has the mode {mode:04o}, so that other users can {can}. Run chmod 600 on it"))
    }
}

/// The text of a file, and its owner and mode.
fn open(path: &Path) -> io::Result<(Metadata, String)> {
    let mut file = fs::File::open(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((file.metadata()?, text))
}

/// Runs a request to its end.
pub fn block_on<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, ExitCode> {
    runtime(1)?.block_on(request).map_err(|error| exit::with(&error))
}
