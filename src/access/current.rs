//! The generation of the access file that is in force.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::watch, task::spawn_blocking, time};
use tracing::{error, info, warn};

use super::{
    digest::Digest,
    finding::{Problems, Warning},
    generation::Access,
};

/// The largest file that is read: several times what 10,000 keys take.
const LARGEST: u64 = 16 * 1024 * 1024;

/// How long a content must stay the same before it is put in force.
const SETTLING: Duration = Duration::from_millis(200);

/// The access file, as it was when its content was last read and right.
#[derive(Debug)]
pub struct Current {
    path: PathBuf,
    access: ArcSwap<Access>,
    generation: watch::Sender<u64>,
    /// The digest of the content in force. Whoever reloads holds it.
    content: Mutex<Digest>,
}

impl Current {
    /// Reads the file for the first time. Logs what is doubtful in it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Problems> {
        let path = path.into();
        let text = read(&path)?;
        let (access, warnings) = Access::parse(&text)?;
        log_warnings(&path, &warnings);
        Ok(Self {
            path,
            access: ArcSwap::from_pointee(access),
            generation: watch::Sender::new(1),
            content: Mutex::new(Digest::of(&text)),
        })
    }

    /// The keys and roles in force.
    pub fn load(&self) -> Arc<Access> {
        self.access.load_full()
    }

    /// How often the content has changed, from 1.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Tells of each new generation. `load` has it already then.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Reads the file again, and puts all of it in force, or nothing if it has a problem. Logs which. Returns whether
    /// the content is another one. Reads and computes for some milliseconds: call it where that disturbs nobody.
    pub fn reload(&self) -> Result<bool, Problems> {
        self.renew().inspect_err(|problems| self.log_problems(problems))
    }

    fn renew(&self) -> Result<bool, Problems> {
        // A reload that panicked has put nothing in force.
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let text = read(&self.path)?;
        let digest = Digest::of(&text);
        if digest == *content {
            return Ok(false);
        }
        let (access, warnings) = Access::parse(&text)?;
        log_warnings(&self.path, &warnings);
        let keys = access.identities().len();
        self.access.store(Arc::new(access));
        *content = digest;
        self.generation.send_modify(|generation| *generation += 1);
        info!(file = %self.path.display(), generation = self.generation(), keys, "the access file was reloaded");
        Ok(true)
    }

    /// Looks at the content again and again, and reloads when it is another one. It is the content that counts, because
    /// a file in a volume of Kubernetes is a link to a link that is exchanged, and times may be those of another
    /// machine. Logs a problem once, not at every look.
    pub async fn watch_content(self: Arc<Self>, every: Duration) {
        let mut refused = None;
        let mut looks = time::interval(every);
        looks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let seen = self.clone().look().await;
            if seen.as_ref().is_ok_and(|digest| self.is_in_force(digest)) {
                refused = None;
                continue;
            }
            if refused.as_ref() == Some(&seen) {
                continue;
            }
            // Somebody may be writing. What is half written can be valid, and lack a time at which a key expires.
            time::sleep(SETTLING).await;
            if self.clone().look().await != seen {
                continue;
            }
            let current = self.clone();
            refused = match spawn_blocking(move || current.reload()).await {
                Ok(Ok(_)) => None,
                Ok(Err(_)) => Some(seen),
                Err(failed) => {
                    error!(%failed, "reloading the access file failed");
                    Some(seen)
                }
            };
        }
    }

    /// The digest of the content of the file.
    async fn look(self: Arc<Self>) -> Result<Digest, Problems> {
        let looked = spawn_blocking(move || read(&self.path).map(|text| Digest::of(&text))).await;
        looked.unwrap_or_else(|failed| Err(Problems::of_file(format!("can't be read: {failed}"))))
    }

    fn is_in_force(&self, digest: &Digest) -> bool {
        *self.content.lock().unwrap_or_else(PoisonError::into_inner) == *digest
    }

    fn log_problems(&self, problems: &Problems) {
        for problem in &problems.0 {
            error!(file = %self.path.display(), generation = self.generation(), %problem,
                "the access file is wrong, so the keys and roles stay as they were");
        }
    }
}

fn log_warnings(path: &Path, warnings: &[Warning]) {
    for warning in warnings {
        warn!(file = %path.display(), %warning, "the access file may not mean what it should");
    }
}

/// The text of an access file.
pub fn read(path: &Path) -> Result<String, Problems> {
    let unreadable = |error: io::Error| Problems::of_file(format!("can't be read: {error}"));
    // To open a pipe would wait for somebody who writes into it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Problems::of_file("is not a file"));
    }
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(Problems::of_file(format!("is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(text)
}
