//! Runs a redis-server or valkey-server that lives and dies with this process.

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

/// Programs to look for, each with its oldest major version that Gorilla can use.
const PROGRAMS: [(&str, u32); 2] = [("redis-server", 7), ("valkey-server", 8)];
/// In bytes. The limit of Linux is 108 with the final NUL, that of macOS 104.
const LONGEST_SOCKET: usize = 103;
const PATIENCE: Duration = Duration::from_secs(10);

/// The server. Its folder is locked against a second server.
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
            // In a group of its own Redis gets no Ctrl-C: Gorilla ends it after the requests in flight.
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

    /// The socket on which the server listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The file into which the server logs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until the server ends by itself. Returns a sentence with the last line of its log.
    pub async fn ended(&mut self) -> String {
        let status = self.server.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        format!(
            "the private Redis ended ({status}). The last line of its log is: {last}. The log is in {}.",
            self.log.display()
        )
    }

    /// Ends the server, which then writes its data.
    pub async fn stop(mut self) {
        if let Some(pid) = self.server.id().and_then(|id| Pid::from_raw(id as i32)) {
            // Fails if the server has just ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        // If the server has not ended by then, dropping the child kills it.
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
        old.push(format!("{program} is version {version}, but Gorilla needs {oldest}.0 or newer"));
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
    // Only for this user, because the data have tokens.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another `gorilla dev` uses {}. End it, or choose another folder with --state DIR.",
            folder.display()
        )),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Ends a server that outlived its `gorilla dev`, because two servers would ruin the data.
async fn end_leftover(socket: &Path) -> Result<(), String> {
    let begun = Instant::now();
    while let Ok(mut leftover) = UnixStream::connect(socket).await {
        if begun.elapsed() > PATIENCE {
            return Err(format!("a server still listens on {} and does not end. End it by hand.", socket.display()));
        }
        // The server closes the connection instead of answering. If the write fails, the server is already ending.
        let _ = leftover.write_all(b"SHUTDOWN\r\n").await;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Starts a shell that ends the server when this process is gone, also when this process was killed: then the standard
/// input of the shell ends.
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
