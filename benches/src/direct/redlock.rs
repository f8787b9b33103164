//! node-redlock: `benches/direct/redlock.js`, with packages that are installed when they are first needed.

use std::{fs, path::PathBuf, process::Command};

use super::program::{self, Library};

/// The contestant.
pub struct Redlock;

impl Redlock {
    fn environment() -> PathBuf {
        program::installed("node")
    }

    fn node() -> Command {
        let mut node = Command::new("node");
        // The program stands elsewhere than its packages.
        node.env("NODE_PATH", Self::environment().join("node_modules"));
        node
    }

    fn versions() -> Result<String, String> {
        let ask = "const version = (name) => require(`${name}/package.json`).version; \
                   console.log(`redlock ${version('redlock')} with ioredis ${version('ioredis')} on Node ${process.versions.node}`)";
        Ok(program::run(Self::node().args(["-e", ask]), program::INSTALLATION)?.output.trim().into())
    }

    fn install() -> Result<(), String> {
        let environment = Self::environment();
        let written = fs::create_dir_all(&environment)
            .and_then(|()| fs::copy(program::source("package.json"), environment.join("package.json")));
        written.map_err(|error| format!("{}: {error}", environment.display()))?;
        // A lock file would name the registry that this machine uses. What the two packages need in turn isn't pinned.
        let install = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline"];
        program::run(Command::new("npm").args(install).current_dir(environment), program::INSTALLATION)
            .map_err(|error| format!("{error}; it needs Node.js 20 with npm: apt-get install nodejs npm"))?;
        Ok(())
    }
}

impl Library for Redlock {
    const NAME: &'static str = "redlock";

    fn prepare() -> Result<String, String> {
        Self::install()?;
        Ok(format!(
            "{}, in one process; all clients share a connection, over which ioredis sends commands without waiting for \
             replies. A cycle is two scripts by EVALSHA. Who waits asks again every 100 to 300 ms",
            Self::versions()?
        ))
    }

    fn clients() -> Result<Command, String> {
        let mut clients = Self::node();
        clients.arg(program::source("redlock.js"));
        Ok(clients)
    }
}
