//! The access file that is in force, and how it is read again.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{generation::Access, problems::Problems};

/// The longest access file, in bytes. A file that is longer was put there by mistake.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The access file that is in force.
pub struct Current {
    path: PathBuf,
    access: RwLock<Arc<Access>>,
    /// The text that was read last, whether it is in force or not: a text that is wrong is reported once.
    seen: Mutex<String>,
    /// The number of the generation: 1 for the file at the start, one more for each file that came into force since.
    generation: watch::Sender<u64>,
}

impl Current {
    /// Reads the file for the first time.
    pub fn open(path: &Path) -> Result<Arc<Self>, Problems> {
        let text = read(path)?;
        let (access, warnings) = Access::parse(&text)?;
        warnings.iter().for_each(|warning| eprintln!("gorilla: {warning}"));
        let access = RwLock::new(Arc::new(access));
        Ok(Arc::new(Self { path: path.into(), access, seen: Mutex::new(text), generation: watch::Sender::new(1) }))
    }

    /// What is in force.
    pub fn load(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of the generation that is in force.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Tells of each new generation.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Reads the file again, and puts all of it into force, or nothing if something is wrong with it. Says whether the
    /// content has changed. Logs what came of it.
    pub fn reload(&self) -> Result<bool, Problems> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match read(&self.path) {
            Ok(text) if text == *seen => return Ok(false),
            Ok(text) => text,
            Err(problems) => {
                // Reported once, as a text that is wrong is.
                if !seen.is_empty() {
                    seen.clear();
                    self.report(&problems);
                }
                return Err(problems);
            }
        };
        seen.clone_from(&text);
        let (access, warnings) = Access::parse(&text).inspect_err(|problems| self.report(problems))?;
        warnings.iter().for_each(|warning| warn!("{warning}"));
        let keys = access.len();
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        // Only now, so that whoever is told of a generation finds it in force.
        self.generation.send_modify(|generation| *generation += 1);
        info!(file = %self.path.display(), generation = self.generation(), keys, "the access file was read again");
        Ok(true)
    }

    /// Looks at the content again and again, which also finds a file whose folder was exchanged as Kubernetes does it.
    pub async fn watch_content(self: Arc<Self>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            // `reload` has logged what is wrong.
            let _ = self.reload();
        }
    }

    fn report(&self, problems: &Problems) {
        let file = self.path.display();
        error!(%file, generation = self.generation(), %problems, "the access file is wrong; what it said before stays in force");
    }
}

fn read(path: &Path) -> Result<String, Problems> {
    let refuse = |problem: String| Problems(vec![format!("{} {problem}.", path.display())]);
    let size = fs::metadata(path).map_err(|error| refuse(format!("can't be read: {error}")))?.len();
    if size > LONGEST {
        return Err(refuse(format!("has {size} bytes, and an access file has at most {LONGEST}")));
    }
    let text = fs::read_to_string(path).map_err(|error| refuse(format!("can't be read: {error}")))?;
    // A file that is about to be written is empty at first. Nobody locks everybody out by it.
    if text.trim().is_empty() {
        return Err(refuse("is empty; to let nobody in, leave a comment in it".into()));
    }
    Ok(text)
}
