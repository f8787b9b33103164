//! The generation of the access file that is in force.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio::{
    sync::watch,
    task::{JoinError, spawn_blocking},
    time::sleep,
};
use tracing::{error, info, warn};

use super::{
    digest::Digest,
    finding::{Problems, Warning},
    generation::Access,
    identity::Identity,
    source::read,
};
use crate::reload::{Occasion, Times};

/// How long a content must stay the same before it is put in force. docs/reference/access-file.md says it.
const SETTLING: Duration = Duration::from_millis(200);

/// The access file, as it was when its content was last read and right.
#[derive(Debug)]
pub struct Current {
    path: PathBuf,
    access: ArcSwap<Access>,
    generation: watch::Sender<u64>,
    /// The digest of the content in force. Whoever reloads holds it.
    content: Mutex<Digest>,
    /// How many contents were refused.
    refused: AtomicU64,
    /// Whether the locks are in a Redis Cluster.
    clustered: bool,
}

/// What a look at the file shows.
type Seen = Result<Digest, Problems>;

/// Decides which looks are a reason to reload, so that a file that stays wrong is not told again and again.
#[derive(Default)]
struct Attention {
    /// What was seen when a reload failed.
    refused: Option<Seen>,
}

impl Current {
    /// Reads the file for the first time. Logs what is doubtful in it. `clustered` says whether the locks are in a Redis
    /// Cluster.
    pub fn open(path: impl Into<PathBuf>, clustered: bool) -> Result<Self, Problems> {
        let path = path.into();
        let text = read(&path)?;
        let (access, warnings) = parse(&text, clustered)?;
        log_warnings(&path, &warnings);
        Ok(Self {
            path,
            access: ArcSwap::from_pointee(access.numbered(1)),
            generation: watch::Sender::new(1),
            content: Mutex::new(Digest::of(&text)),
            refused: AtomicU64::new(0),
            clustered,
        })
    }

    /// The keys and roles in force.
    pub fn load(&self) -> Arc<Access> {
        self.access.load_full()
    }

    /// Whether it would identify somebody now as it did: by the generation that is still in force, and by a key that has
    /// not expired since.
    pub fn still_says(&self, identity: &Identity) -> bool {
        let has_expired = || identity.expires.is_some() && identity.has_expired(SystemTime::now());
        self.access.load().has_said(identity) && !has_expired()
    }

    /// How often the content has changed, from 1.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// How often the file was found wrong or could not be read. Each wrong content counts once, and at each SIGHUP.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
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
        let (access, warnings) = parse(&text, self.clustered)?;
        log_warnings(&self.path, &warnings);
        let identities = access.identities().len();
        // Nobody else makes a new generation meanwhile.
        self.access.store(Arc::new(access.numbered(self.generation() + 1)));
        *content = digest;
        self.generation.send_modify(|generation| *generation += 1);
        info!(file = %self.path.display(), generation = self.generation(), identities, "the access file was reloaded");
        Ok(true)
    }

    /// Reads the file again whenever an operator asks for it, and looks from time to time whether its content is another
    /// one. It is the content that counts, because a file in a volume of Kubernetes is a link to a link that is exchanged,
    /// and times may be those of another machine. Logs a problem once, not at every look.
    pub async fn follow(self: Arc<Self>, mut times: Times) {
        let mut attention = Attention::default();
        loop {
            match times.next().await {
                Occasion::Signal => {
                    let current = self.clone();
                    if spawn_blocking(move || current.reload()).await.is_ok_and(|reloaded| reloaded.is_err()) {
                        attention.refused = Some(self.clone().look().await.0);
                    }
                }
                Occasion::Pause => self.look_again(&mut attention).await,
            }
        }
    }

    /// Reloads if the content is another one.
    async fn look_again(self: &Arc<Self>, attention: &mut Attention) {
        let (seen, in_force) = self.clone().look().await;
        if !attention.is_drawn_by(&seen, in_force) {
            return;
        }
        // Somebody may be writing. What is half written can be valid, and lack a time at which a key expires.
        sleep(SETTLING).await;
        if self.clone().look().await.0 != seen {
            return;
        }
        let current = self.clone();
        let renewed = spawn_blocking(move || current.renew()).await.unwrap_or_else(interrupted);
        if let Err(problems) = renewed {
            self.log_problems(&problems);
            attention.refused = Some(seen);
        }
    }

    /// What the file has, and what is in force.
    async fn look(self: Arc<Self>) -> (Seen, Option<Digest>) {
        let look = spawn_blocking(move || {
            let in_force = *self.content.lock().unwrap_or_else(PoisonError::into_inner);
            (read(&self.path).map(|text| Digest::of(&text)), Some(in_force))
        });
        look.await.unwrap_or_else(|failed| (interrupted(failed), None))
    }

    fn log_problems(&self, problems: &Problems) {
        self.refused.fetch_add(1, Relaxed);
        for problem in &problems.0 {
            error!(file = %self.path.display(), generation = self.generation(), %problem,
                "the access file is wrong, so the keys and roles stay as they were");
        }
    }
}

impl Attention {
    fn is_drawn_by(&mut self, seen: &Seen, in_force: Option<Digest>) -> bool {
        let is_in_force = seen.as_ref().is_ok_and(|&digest| Some(digest) == in_force);
        // What was refused may come again after it was set right.
        self.refused = self.refused.take().filter(|_| !is_in_force);
        !is_in_force && self.refused.as_ref() != Some(seen)
    }
}

fn interrupted<T>(failed: JoinError) -> Result<T, Problems> {
    Err(Problems::of_file(format!("can't be read: {failed}")))
}

/// Reads a text, which must not have what the store can't keep.
fn parse(text: &str, clustered: bool) -> Result<(Access, Vec<Warning>), Problems> {
    let parsed = Access::parse(text)?;
    match clustered && parsed.0.bounds_held() {
        // One script could not reach what an identity holds at several nodes.
        true => Err(Problems::of_file("has a quota max_held, which a Redis Cluster can't keep; remove it")),
        false => Ok(parsed),
    }
}

fn log_warnings(path: &Path, warnings: &[Warning]) {
    for warning in warnings {
        warn!(file = %path.display(), %warning, "the access file may not mean what it should");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::{self, Write},
        os::unix::fs::symlink,
        time::Instant,
    };

    use tempfile::TempDir;
    use tokio::time::timeout;
    use tracing::{Level, subscriber};

    use super::*;
    use crate::access::Key;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// An access file whose identities have these names.
    fn text(names: &[&str]) -> String {
        let role = "[[role]]\nname = \"r\"\nrules = []\n".to_string();
        names.iter().fold(role, |text, name| {
            let digest = Key::generate().expect("random digits").digest();
            text + &format!("[[key]]\nname = \"{name}\"\nrole = \"r\"\nhashes = [\"{digest}\"]\n")
        })
    }

    /// An access file in a folder of its own, and what is in force of it.
    fn opened(text: &str) -> (TempDir, PathBuf, Arc<Current>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.toml");
        fs::write(&path, text).expect("a file");
        let current = Current::open(&path, false).expect("valid");
        (folder, path, Arc::new(current))
    }

    fn names(current: &Current) -> Vec<String> {
        let mut names: Vec<_> = current.load().identities().map(|identity| identity.name.clone()).collect();
        names.sort();
        names
    }

    /// Looks at the content again and again.
    async fn watch_content(current: Arc<Current>, every: Duration) {
        let mut attention = Attention::default();
        loop {
            sleep(every).await;
            current.look_again(&mut attention).await;
        }
    }

    /// Replaces the file in one step.
    fn replace(path: &Path, text: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, text).expect("a file");
        fs::rename(beside, path).expect("it can be renamed");
    }

    /// What was logged meanwhile.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<u8>>>);

    impl Logged {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
        }
    }

    impl Write for Logged {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged_by(act: impl FnOnce()) -> String {
        let logged = Logged::default();
        let writer = logged.clone();
        let log = tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_ansi(false);
        subscriber::with_default(log.with_writer(move || writer.clone()).finish(), act);
        logged.text()
    }

    #[test]
    fn another_content_is_in_force_after_a_reload_and_the_same_content_is_no_new_generation() {
        let (_folder, path, current) = opened(&text(&["a"]));
        let generations = current.subscribe();
        assert_eq!((names(&current), current.generation()), (vec!["a".into()], 1));
        // Another time, and another file, with the same content.
        replace(&path, &fs::read_to_string(&path).expect("text"));
        assert_eq!(current.reload(), Ok(false));
        assert!(!generations.has_changed().expect("it goes on") && current.generation() == 1);
        let held = current.load();
        replace(&path, &text(&["a", "b"]));
        assert_eq!(current.reload(), Ok(true));
        assert!(generations.has_changed().expect("it goes on"));
        assert_eq!((names(&current), *generations.borrow()), (vec!["a".into(), "b".into()], 2));
        assert_eq!(held.identities().len(), 1);
    }

    #[test]
    fn a_file_that_is_wrong_or_missing_or_no_file_changes_nothing_and_is_logged() {
        let right = text(&["a"]);
        let (folder, path, current) = opened(&right);
        let digest = Key::generate().expect("random digits").digest().to_string();
        let cut = &text(&["b"])[..right.len() - 20];
        let unknown = text(&["b"]).replace("role = \"r\"", &format!("role = \"{digest}\""));
        let wrong = ["", "\n", cut, &unknown, "[[key]]\nname = \"b\"\n\u{1b}"];
        let refused = |says: &str| {
            let log = logged_by(|| assert!(current.reload().is_err()));
            assert!(log.contains("ERROR") && log.contains("stay as they were") && log.contains(says), "{log}");
            assert!(!log.contains(&digest[7..]) && !log.contains('\u{1b}'), "{log}");
            assert_eq!((names(&current), current.generation()), (vec!["a".into()], 1));
        };
        for text in wrong {
            replace(&path, text);
            refused("");
        }
        fs::write(&path, b"\xff\xfe").expect("a file");
        refused("can't be read");
        fs::remove_file(&path).expect("it can be removed");
        refused("can't be read");
        fs::create_dir(&path).expect("a folder");
        refused("is not a file");
        assert!(Current::open(folder.path(), false).is_err());
        fs::remove_dir(&path).expect("it can be removed");
        fs::write(&path, &right).expect("a file");
        assert_eq!(current.reload(), Ok(false));
    }

    #[test]
    fn a_doubtful_file_is_in_force_and_the_doubt_is_logged() {
        let doubtful = text(&["a"]).replace("rules = []", "rules = [{ prefix = \"orders\", verbs = [\"list\"] }]");
        let (_folder, path, _) = opened(&doubtful);
        let log = logged_by(|| drop(Current::open(&path, false).expect("valid")));
        assert!(log.contains("WARN") && log.contains("orders-admin") && log.contains("line 3, column "), "{log}");
    }

    /// Waits for a generation, to a deadline.
    async fn until(generations: &mut watch::Receiver<u64>, generation: u64) {
        let waited = timeout(PATIENCE, generations.wait_for(|&now| now == generation)).await;
        waited.expect("in time").expect("it goes on");
    }

    #[tokio::test]
    async fn a_watched_file_is_reloaded_when_the_link_to_its_folder_is_exchanged() {
        let folder = tempfile::tempdir().expect("a folder");
        for (version, name) in [("1", "a"), ("2", "b")] {
            fs::create_dir(folder.path().join(version)).expect("a folder");
            fs::write(folder.path().join(version).join("access.toml"), text(&[name])).expect("a file");
        }
        let at = |name: &str| folder.path().join(name);
        symlink("1", at("..data")).expect("a link");
        symlink("..data/access.toml", at("access.toml")).expect("a link");
        let current = Arc::new(Current::open(at("access.toml"), false).expect("valid"));
        let mut generations = current.subscribe();
        let watch = tokio::spawn(watch_content(current.clone(), Duration::from_millis(5)));
        symlink("2", at("..new")).expect("a link");
        fs::rename(at("..new"), at("..data")).expect("it can be renamed");
        until(&mut generations, 2).await;
        assert_eq!(names(&current), ["b"]);
        watch.abort();
    }

    #[tokio::test]
    async fn a_watched_file_that_is_wrong_is_logged_and_reloaded_when_it_is_right() {
        let (_folder, path, current) = opened(&text(&["a"]));
        let logged = Logged::default();
        let writer = logged.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _log = subscriber::set_default(log);
        let mut generations = current.subscribe();
        let watch = tokio::spawn(watch_content(current.clone(), Duration::from_millis(5)));
        replace(&path, "[[key]]\n");
        let begun = Instant::now();
        while !logged.text().contains("lacks hashes") {
            assert!(begun.elapsed() < PATIENCE, "{}", logged.text());
            tokio::task::yield_now().await;
        }
        assert_eq!((names(&current), current.generation()), (vec!["a".into()], 1));
        replace(&path, &text(&["b"]));
        until(&mut generations, 2).await;
        assert_eq!(names(&current), ["b"]);
        watch.abort();
    }

    #[test]
    fn what_was_refused_draws_no_attention_again_before_something_else_was_seen() {
        let [old, wrong, other] = ["old", "wrong", "other"].map(Digest::of);
        let mut attention = Attention::default();
        assert!(!attention.is_drawn_by(&Ok(old), Some(old)));
        assert!(attention.is_drawn_by(&Ok(wrong), Some(old)));
        attention.refused = Some(Ok(wrong));
        assert!(!attention.is_drawn_by(&Ok(wrong), Some(old)));
        assert!(attention.is_drawn_by(&Ok(other), Some(old)));
        let missing = Err(Problems::of_file("can't be read"));
        assert!(attention.is_drawn_by(&missing, Some(old)));
        attention.refused = Some(missing.clone());
        assert!(!attention.is_drawn_by(&missing, Some(old)));
        assert!(!attention.is_drawn_by(&Ok(old), Some(old)));
        assert!(attention.is_drawn_by(&missing, Some(old)));
    }

    #[tokio::test]
    async fn a_file_is_not_reloaded_while_somebody_writes_it() {
        let begun = Instant::now();
        loop {
            let (_folder, path, current) = opened(&text(&["a"]));
            let watch = tokio::spawn(watch_content(current.clone(), Duration::from_millis(1)));
            let mut file = File::options().append(true).open(&path).expect("the file");
            let (writing, mut longest, mut last) = (Instant::now(), Duration::ZERO, Instant::now());
            while writing.elapsed() < SETTLING * 3 {
                file.write_all(b"# each line makes a file that is valid\n").expect("it can be written");
                longest = longest.max(last.elapsed());
                last = Instant::now();
                tokio::task::yield_now().await;
            }
            let generation = current.generation();
            watch.abort();
            // Another process may have taken the processor for so long that the writer seemed to have ended.
            if longest.max(last.elapsed()) < SETTLING {
                return assert_eq!(generation, 1);
            }
            assert!(begun.elapsed() < PATIENCE, "the machine is too slow to write without a break");
        }
    }
}
