//! What a replica reads again while it runs: files whose content may change.

use std::{
    fmt::Display,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

/// From a look at the content of files to the next. Kubernetes changes files by a symbolic link above them, which a
/// watcher of the files themselves would not notice.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest file, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Tells those that keep files when to read them again. Clones tell the same ones.
#[derive(Clone, Default)]
pub struct Reloads(watch::Sender<()>);

/// Waits for the times at which to read files again.
pub struct Times {
    asked: watch::Receiver<()>,
    next: Instant,
}

/// Why files are read again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// An operator asks for it, and wants to know what came of it.
    Signal,
    /// It is time to look whether the files have changed.
    Pause,
}

/// Makes a value of the content of files, in their order. An error says what is wrong.
pub type Make<T> = dyn Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync;

/// Files, and the value that is made of their content.
pub struct Files<T> {
    /// What the files have, for the log.
    pub what: &'static str,
    /// Where the files are.
    pub paths: Vec<PathBuf>,
    /// Makes the value.
    pub make: Box<Make<T>>,
}

/// The SHA-256 of the content of files, or why the files can't be read.
type Seen = Result<Vec<u8>, String>;

impl Reloads {
    /// Has everything read again. Returns whether there is something to read.
    pub fn ask(&self) -> bool {
        self.0.send(()).is_ok()
    }

    /// The times at which to read files again.
    pub fn times(&self) -> Times {
        Times { asked: self.0.subscribe(), next: Instant::now() + PAUSE }
    }
}

impl Times {
    /// Waits for the next time.
    pub async fn next(&mut self) -> Occasion {
        let occasion = tokio::select! {
            Ok(()) = self.asked.changed() => Occasion::Signal,
            () = sleep_until(self.next) => Occasion::Pause,
        };
        self.next = Instant::now() + PAUSE;
        occasion
    }
}

impl<T: Display + Send + Sync + 'static> Files<T> {
    /// Makes the value.
    pub fn read(&self) -> Result<T, String> {
        self.made().1
    }

    /// Makes the value, and makes it anew whenever the content of the files changes, until nobody has the receiver any
    /// more. If the new content is wrong, the old value stays.
    pub fn follow(self, mut times: Times) -> Result<watch::Receiver<Arc<T>>, String> {
        let (mut seen, made) = self.made();
        let made = made?;
        info!(what = self.what, now = %made, "read and in force");
        let (sender, receiver) = watch::channel(Arc::new(made));
        let files = Arc::new(self);
        tokio::spawn(async move {
            loop {
                let occasion = tokio::select! {
                    occasion = times.next() => occasion,
                    () = sender.closed() => return,
                };
                // Files may be on a slow disk, and requests must not wait for it.
                let reading = Arc::clone(&files);
                let Ok((now_seen, made)) = spawn_blocking(move || reading.made()).await else { continue };
                if now_seen == seen && occasion == Occasion::Pause {
                    continue;
                }
                let what = files.what;
                match made {
                    Ok(_) if now_seen == seen => info!(what, "read again and unchanged"),
                    Ok(made) => {
                        info!(what, now = %made, "read again and in force");
                        sender.send_replace(Arc::new(made));
                    }
                    Err(reason) => warn!(what, reason, "read again and wrong; what was in force stays in force"),
                }
                seen = now_seen;
            }
        });
        Ok(receiver)
    }

    /// What the files have, and the value that is made of it.
    fn made(&self) -> (Seen, Result<T, String>) {
        let contents: Result<Vec<_>, _> = self.paths.iter().map(|path| content(path)).collect();
        match contents {
            Ok(contents) => {
                let mut digest = Sha256::new();
                for content in &contents {
                    digest.update((content.len() as u64).to_be_bytes());
                    digest.update(content);
                }
                (Ok(digest.finalize().to_vec()), (self.make)(&contents))
            }
            Err(problem) => (Err(problem.clone()), Err(problem)),
        }
    }
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        // Opening a pipe would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let mut content = Vec::new();
        fs::File::open(path)?.take(LONGEST + 1).read_to_end(&mut content)?;
        match content.len() as u64 > LONGEST {
            true => Err(io::Error::other(format!("it has more than {LONGEST} bytes"))),
            false => Ok(content),
        }
    };
    read().map_err(|error| format!("{} can't be read: {error}", path.display()))
}
