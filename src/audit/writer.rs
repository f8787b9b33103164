//! The thread that writes records into the file, many at once.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, SystemTime},
};

use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tracing::{error, info};

use super::{
    chain::{Chain, Tail},
    file::{AuditFile, Change},
    record::{Event, Record},
    shared::Shared,
};
use crate::{
    metrics::Metrics,
    reload::{Occasion, Times},
};

/// How long records are collected before they are written. The timer may be 1 ms late.
const DELAY: Duration = Duration::from_millis(1);
/// Records that are written at once.
const MOST: usize = 1024;
/// From a failure to the next attempt.
const RETRY: Duration = Duration::from_millis(200);
/// From a look at the path of the file to the next. docs/reference/audit.md says it.
const LOOK: Duration = Duration::from_secs(1);
/// How often the log gets the head of the chain.
const HEAD: Duration = Duration::from_secs(60);

/// A record on its way to the file.
#[derive(Debug)]
pub struct Line {
    /// When it was made.
    pub at: SystemTime,
    /// What it is about.
    pub event: Event,
    /// The record, as a JSON object.
    pub record: String,
    /// Told when the disk has it; dropped if that failed.
    pub done: Option<oneshot::Sender<()>>,
}

/// What the thread has.
pub struct Writer {
    path: PathBuf,
    lines: mpsc::Receiver<Line>,
    stop: mpsc::Receiver<oneshot::Sender<()>>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    file: Option<AuditFile>,
    /// Nothing until the file was opened for the first time: its end says how the chain goes on.
    chain: Option<Chain>,
    /// What is to be written. Begins with a whole line.
    text: Vec<u8>,
    /// How much of the first line of `text` the file has.
    written: usize,
    /// Whether the file may have what the disk has not.
    is_dirty: bool,
    /// Those that wait for the disk.
    waiting: Vec<oneshot::Sender<()>>,
    /// What the last attempt failed with.
    trouble: Option<String>,
    /// The number of the record that the log had as the head, and when it had it.
    told: (u64, Instant),
}

impl Writer {
    pub fn new(
        path: PathBuf,
        lines: mpsc::Receiver<Line>,
        stop: mpsc::Receiver<oneshot::Sender<()>>,
        shared: Arc<Shared>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            path,
            lines,
            stop,
            shared,
            metrics,
            file: None,
            chain: None,
            text: Vec::new(),
            written: 0,
            is_dirty: false,
            waiting: Vec::new(),
            trouble: None,
            told: (0, Instant::now()),
        }
    }

    /// Opens the file, and starts the thread. A file that can't be opened is tried again.
    pub fn begin(mut self, times: Times) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        self.flush();
        thread::Builder::new().name("audit".into()).spawn(move || runtime.block_on(self.run(times)))?;
        Ok(())
    }

    async fn run(mut self, mut times: Times) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut retry = Instant::now() + RETRY;
        let mut taken = Vec::with_capacity(MOST);
        loop {
            let is_failing = self.trouble.is_some();
            tokio::select! {
                biased;
                done = self.stop.recv() => {
                    self.end();
                    // Nothing is lost if nobody waits for the end any more.
                    let _ = done.map(|done| done.send(()));
                    return;
                }
                occasion = times.next() => if occasion == Occasion::Signal { self.look() },
                _ = looks.tick() => {
                    self.look();
                    self.each_second();
                }
                () = sleep_until(retry), if is_failing => {
                    self.flush();
                    retry = Instant::now() + RETRY;
                }
                // While the file can't be written, records wait where their number is bounded.
                count = self.lines.recv_many(&mut taken, MOST), if !is_failing => {
                    if count == 0 {
                        return self.end();
                    }
                    self.collect(&mut taken).await;
                    self.take(&mut taken);
                    self.flush();
                    retry = Instant::now() + RETRY;
                }
            }
        }
    }

    /// Waits for more records that may be written with these. Meanwhile records don't wake this thread: that would cost the
    /// thread that serves requests more than to make a record.
    async fn collect(&mut self, taken: &mut Vec<Line>) {
        if taken.iter().all(|line| line.done.is_none()) {
            sleep(DELAY).await;
        }
        while taken.len() < MOST
            && let Ok(line) = self.lines.try_recv()
        {
            taken.push(line);
        }
    }

    /// Makes lines of records.
    fn take(&mut self, taken: &mut Vec<Line>) {
        for Line { at, event, record, done } in taken.drain(..) {
            self.append(at, event, &record);
            self.waiting.extend(done);
        }
    }

    fn append(&mut self, at: SystemTime, event: Event, record: &str) {
        if let Some(chain) = &mut self.chain {
            chain.append(&mut self.text, at, record);
            self.metrics.audit.recorded(event);
        }
    }

    /// Appends a record about the file or the replica.
    fn note(&mut self, outcome: &'static str, reason: Option<&str>, count: Option<u64>) {
        let record = Record { reason, count, ..Record::new(Event::Reload, outcome) };
        self.append(SystemTime::now(), record.event, &record.json());
    }

    /// Writes what is to be written, and has the disk take it if somebody waits for that. Says in the log when that
    /// begins to fail and when it succeeds again.
    fn flush(&mut self) {
        let mut done = self.try_flush();
        // What was lost while the file failed is told once it can be written.
        if done.is_ok() && self.note_lost() {
            done = self.try_flush();
        }
        match done {
            Ok(()) => {
                for done in self.waiting.drain(..) {
                    // Whoever waited may have gone.
                    let _ = done.send(());
                }
                if self.trouble.take().is_some() {
                    info!(file = %self.path.display(), "the audit file can be written again");
                }
                self.shared.is_failing.store(false, Relaxed);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.metrics.audit.failures.inc();
        self.shared.is_failing.store(true, Relaxed);
        self.waiting.clear();
        let error = error.to_string();
        if self.trouble.as_ref() != Some(&error) {
            error!(file = %self.path.display(), error, "the audit file can't be written");
            self.trouble = Some(error);
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        while self.written < self.text.len() {
            match file.write(&self.text[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.is_dirty = true;
                    self.written += count;
                    forget_whole_lines(&mut self.text, &mut self.written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The reader of a FIFO has gone, with the part of a line that it got.
                    if error.kind() == io::ErrorKind::BrokenPipe {
                        self.file = None;
                        self.written = 0;
                    }
                    return Err(error);
                }
            }
        }
        let is_wanted = !self.waiting.is_empty() || self.trouble.is_some();
        if self.is_dirty && is_wanted { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync()?;
        }
        self.is_dirty = false;
        Ok(())
    }

    /// Opens the file. The first time, the chain goes on from its end.
    fn open(&mut self) -> io::Result<()> {
        let file = AuditFile::open(&self.path)?;
        let Tail { chain, is_open, torn } = file.tail(&self.path)?;
        self.file = Some(file);
        self.written = 0;
        if is_open {
            self.text.insert(0, b'\n');
        }
        let is_first = self.chain.is_none();
        if is_first {
            let is_new = chain.is_none();
            let chain = chain.unwrap_or_default();
            self.told.0 = chain.seq;
            info!(
                file = %self.path.display(),
                chain = chain.id,
                seq = chain.seq,
                hash = chain.head,
                is_new,
                "the audit file is open"
            );
            self.chain = Some(chain);
        }
        if torn > 0 {
            self.note("torn", Some(&format!("the line before has {torn} bytes and no end")), None);
        }
        self.note(if is_first { "started" } else { "reopened" }, None, None);
        Ok(())
    }

    /// Looks whether the file was rotated.
    fn look(&mut self) {
        match self.file.as_mut().map(|file| file.look(&self.path)) {
            None if self.trouble.is_some() => return self.flush(),
            None | Some(Change::None) => return,
            Some(Change::Rotated) => {
                // The old file stays as it is. What it has is to be on the disk.
                if let Err(error) = self.sync() {
                    self.fail(&error);
                }
                self.file = None;
            }
            Some(Change::Truncated) => {
                self.written = 0;
                self.note("truncated", None, None);
            }
        }
        self.flush();
    }

    /// What is done once a second.
    fn each_second(&mut self) {
        if self.trouble.is_some() {
            return;
        }
        let gathered = self.shared.tally.drain();
        for refusals in &gathered {
            self.append(refusals.since, refusals.event, &refusals.json());
        }
        if !gathered.is_empty() || self.shared.lost.load(Relaxed) > 0 {
            self.flush();
        }
        if self.is_dirty
            && let Err(error) = self.sync()
        {
            self.fail(&error);
        }
        if self.told.1.elapsed() >= HEAD {
            self.tell_head();
        }
    }

    /// Appends a record of the records that were dropped, if some were.
    fn note_lost(&mut self) -> bool {
        let lost = self.shared.lost.swap(0, Relaxed);
        if lost > 0 {
            self.metrics.audit.failures.inc_by(lost);
            self.note("lost", None, Some(lost));
        }
        lost > 0
    }

    /// Logs the head of the chain, if it has another one than the log.
    fn tell_head(&mut self) {
        self.told.1 = Instant::now();
        if let Some(Chain { id, seq, head }) = &self.chain
            && *seq != self.told.0
            && self.trouble.is_none()
        {
            info!(chain = id, seq, hash = head, "the head of the audit file");
            self.told.0 = *seq;
        }
    }

    /// Writes the last records.
    fn end(&mut self) {
        self.lines.close();
        let mut last = Vec::new();
        while let Ok(line) = self.lines.try_recv() {
            last.push(line);
        }
        if self.chain.is_none() {
            self.flush();
        }
        self.take(&mut last);
        for refusals in self.shared.tally.drain() {
            self.append(refusals.since, refusals.event, &refusals.json());
        }
        self.note("ended", None, None);
        self.flush();
        if let Err(error) = self.sync() {
            self.fail(&error);
        }
        self.tell_head();
        if self.trouble.is_some() {
            let records = self.text.iter().filter(|byte| **byte == b'\n').count();
            error!(file = %self.path.display(), records, "the last records of the audit file are lost");
        }
    }
}

/// Forgets the lines that the file has whole. The others are kept whole: if the file is opened again meanwhile, a line
/// begins anew.
fn forget_whole_lines(text: &mut Vec<u8>, written: &mut usize) {
    if let Some(newline) = text[..*written].iter().rposition(|byte| *byte == b'\n') {
        text.drain(..=newline);
        *written -= newline + 1;
    }
}
