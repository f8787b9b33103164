//! redis-py's `Lock`: `benches/direct/redis_py.py`, in a virtual environment that is made when it is first needed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::program::{self, Library};

/// The contestant.
pub struct RedisPy;

impl RedisPy {
    fn environment() -> PathBuf {
        program::installed("python")
    }

    fn python() -> Command {
        Command::new(Self::environment().join("bin/python"))
    }

    /// What is installed, as requirements.txt has it.
    fn installed() -> Result<String, String> {
        let ask = "import hiredis, redis; print(f'redis=={redis.__version__}\\nhiredis=={hiredis.__version__}')";
        Ok(program::run(Self::python().args(["-c", ask]), program::INSTALLATION)?.output)
    }

    fn install(requirements: &Path) -> Result<(), String> {
        program::run(Command::new("python3").args(["-m", "venv"]).arg(Self::environment()), program::INSTALLATION)
            .map_err(|error| format!("{error}; it needs Python 3.10 with venv: apt-get install python3-venv"))?;
        let install = ["-m", "pip", "install", "--quiet", "--requirement"];
        program::run(Self::python().args(install).arg(requirements), program::INSTALLATION)
            .map_err(|error| format!("{error}; pip installs redis from PyPI"))?;
        Ok(())
    }
}

impl Library for RedisPy {
    const NAME: &'static str = "redis-py";

    fn prepare() -> Result<String, String> {
        let requirements = program::source("requirements.txt");
        let wanted =
            fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
        if !Self::installed().is_ok_and(|installed| installed == wanted) {
            Self::install(&requirements)?;
        }
        let python = program::run(Self::python().arg("--version"), program::INSTALLATION)?.output;
        Ok(format!(
            "{} on {}, `redis.lock.Lock` in one process; each client is a thread, with a connection. A cycle is SET NX PX and \
             a script that deletes. Who waits asks again every 100 ms",
            wanted.trim().replace('\n', " and "),
            python.trim()
        ))
    }

    fn clients() -> Result<Command, String> {
        let mut clients = Self::python();
        clients.arg(program::source("redis_py.py"));
        Ok(clients)
    }
}
