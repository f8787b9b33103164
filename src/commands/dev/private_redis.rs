//! A redis-server or valkey-server that lives and dies with this process.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::AsyncWriteExt,
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Programs to look for, each with the oldest version that will do.
const PROGRAMS: [(&str, u32); 2] = [("redis-server", 7), ("valkey-server", 8)];
/// The kernel's limit is 108 with the final NUL, on macOS 104.
const LONGEST_SOCKET: usize = 103;
const PATIENCE: Duration = Duration::from_secs(10);

/// The server, with its folder locked against a second one.
pub struct PrivateRedis {
    server: Child,
    socket: PathBuf,
    log: PathBuf,
    _watcher: Child,
    _lock: File,
}

impl PrivateRedis {
    /// Starts a server that keeps its data in `folder`. An error is a sentence that says what to do.
    pub async fn start(folder: &Path) -> Result<Self, String> {
        let program = find().await?;
        let lock = claim(folder)?;
        let folder = folder.canonicalize().map_err(|error| format!("{} can't be used: {error}.", folder.display()))?;
        let (socket, log) = (folder.join("redis.sock"), folder.join("redis.log"));
        if socket.as_os_str().len() > LONGEST_SOCKET {
            return Err(format!(
                "{} is too long for the path of a socket ({LONGEST_SOCKET} bytes at most). Choose a shorter folder with --state DIR.",
                socket.display()
            ));
        }
        end_leftover(&socket).await?;
        let server = Command::new(program)
            .args(["--port", "0", "--unixsocketperm", "700", "--daemonize", "no", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(&folder)
            .arg("--logfile")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C is for Gorilla, which ends Redis after the requests in flight.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program} can't be started: {error}."))?;
        let watcher = watch(&server).map_err(|error| format!("no shell can be started: {error}."))?;
        let mut redis = Self { server, socket, log, _watcher: watcher, _lock: lock };
        let begun = Instant::now();
        while UnixStream::connect(&redis.socket).await.is_err() {
            if let Ok(Some(_)) = redis.server.try_wait() {
                return Err(redis.ended().await);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "{program} did not start within {} s. Its log is {}.",
                    PATIENCE.as_secs(),
                    redis.log.display()
                ));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(redis)
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where it logs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until it ends by itself; says so with its last words.
    pub async fn ended(&mut self) -> String {
        let status = self.server.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        format!("the private Redis ended ({status}). The last it said was: {last}. Its log is {}.", self.log.display())
    }

    /// Ends it, its data written.
    pub async fn stop(mut self) {
        if let Some(pid) = self.server.id().and_then(|id| Pid::from_raw(id as i32)) {
            // It may have ended just now, which is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
        // After that, dropping the child kills it.
        let _ = timeout(PATIENCE, self.server.wait()).await;
    }
}

/// The first program that is new enough.
async fn find() -> Result<&'static str, String> {
    let mut old = Vec::new();
    for (program, oldest) in PROGRAMS {
        let Ok(output) = Command::new(program).arg("--version").output().await else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("unknown").to_string();
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major >= oldest) {
            return Ok(program);
        }
        old.push(format!("{program} is version {version}, and {oldest}.0 or newer is needed"));
    }
    let install = "`make run` installs one, or use your system's package manager";
    Err(if old.is_empty() {
        format!("neither redis-server nor valkey-server is in PATH. {install}.")
    } else {
        format!("no server is new enough: {}. {install}.", old.join("; "))
    })
}

/// Makes the folder and locks it for this process.
fn claim(folder: &Path) -> Result<File, String> {
    let unusable = |error: io::Error| {
        format!("{} can't be written to: {error}. Choose another folder with --state DIR.", folder.display())
    };
    // Tokens are in the data.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another `gorilla dev` uses {}. End that one, or choose another folder with --state DIR.",
            folder.display()
        )),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Ends a server that outlived its Gorilla, because two servers would ruin the data.
async fn end_leftover(socket: &Path) -> Result<(), String> {
    let begun = Instant::now();
    while let Ok(mut leftover) = UnixStream::connect(socket).await {
        if begun.elapsed() > PATIENCE {
            return Err(format!("a server still listens on {} and does not end. End it by hand.", socket.display()));
        }
        // It closes the connection instead of answering, or it is ending already.
        let _ = leftover.write_all(b"SHUTDOWN\r\n").await;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Starts a shell that ends the server when this process is gone, also when it was killed: then the other end of the
/// shell's standard input closes.
fn watch(server: &Child) -> io::Result<Child> {
    let pid = server.id().unwrap_or_default().to_string();
    Command::new("sh")
        .args(["-c", "read -r _; kill \"$1\" 2>/dev/null", "sh", &pid])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}
