//! Lines on their way to standard error, written many at once by a thread of its own.
//!
//! A write for each line would cost a request more than everything else that is logged about it, and a slow reader, of
//! a pipe say, would hold requests up.
//!
//! Not tracing-appender: at the end it gives its thread one second and then drops the lines that are left, also if the
//! reader goes on reading; it doesn't write into the log how many lines were lost; and it bounds the lines that wait by
//! number instead of by bytes. docs/BENCHMARKS.md ("What was tried") has the figures.

use std::{
    convert::Infallible,
    io::{self, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// How long lines are collected before they are written.
const DELAY: Duration = Duration::from_millis(2);
/// In bytes: while so much text waits, further lines are counted instead of kept.
const MOST_WAITING: usize = 16 * 1024 * 1024;
/// In bytes: how much is written at once.
const PIECE: usize = 64 * 1024;
/// At the end, how long the reader may take for a piece. If it takes longer, the last lines are lost, but a reader that
/// doesn't read must not keep a replica from ending.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lines that were lost since the process began.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines were lost since the process began, as the log says.
pub fn lost() -> u64 {
    LOST.load(Relaxed)
}

/// Takes whole lines and never blocks for long.
#[derive(Clone, Default)]
pub struct Lines {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    some: Condvar,
    /// Pieces that were written so far.
    pieces: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lost: u64,
    ended: bool,
}

/// When it is dropped, it writes the last lines.
pub struct Writer {
    lines: Lines,
    /// Closes when the thread has ended.
    ended: Receiver<Infallible>,
}

impl Lines {
    /// Begins to write to `out`.
    pub fn write_to(self, mut out: impl Write + Send + 'static) -> io::Result<Writer> {
        let (lines, (ends, ended)) = (self.clone(), channel());
        thread::Builder::new().name("log".into()).spawn(move || {
            let _ends = ends;
            let mut text = Vec::new();
            while self.next(&mut text) {
                for piece in text.chunks(PIECE) {
                    // There is nowhere to report that the log can't be written.
                    let _ = out.write_all(piece).and_then(|()| out.flush());
                    self.shared.pieces.fetch_add(1, Relaxed);
                }
                text.clear();
                // Seldom is there so much.
                text.shrink_to(PIECE);
                thread::sleep(DELAY);
            }
        })?;
        Ok(Writer { lines, ended })
    }

    /// Waits for text and puts it into `text`, which is empty. Lines that come meanwhile get its room. False after the
    /// last text.
    fn next(&self, text: &mut Vec<u8>) -> bool {
        let mut waiting = self.lock();
        while waiting.text.is_empty() && !waiting.ended {
            waiting = self.shared.some.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut waiting.text, text);
        match mem::take(&mut waiting.lost) {
            0 => {}
            lost => {
                LOST.fetch_add(lost, Relaxed);
                text.extend(format!("{{\"level\":\"WARN\",\"message\":\"log lines lost\",\"lost\":{lost}}}\n").bytes())
            }
        }
        !text.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if waiting.text.len() + line.len() > MOST_WAITING {
            waiting.lost += 1;
            return Ok(line.len());
        }
        let first = waiting.text.is_empty();
        waiting.text.extend_from_slice(line);
        drop(waiting);
        if first {
            self.shared.some.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.lines.lock().ended = true;
        self.lines.shared.some.notify_one();
        let pieces = || self.lines.shared.pieces.load(Relaxed);
        let mut before = pieces();
        while self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let now = pieces();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let (mut lines, sink) = (Lines::default(), Sink::default());
        let writer = lines.clone().write_to(sink.clone()).expect("a thread");
        let expected: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
        for line in expected.split_inclusive('\n') {
            lines.write_all(line.as_bytes()).expect("lines are taken");
        }
        drop(writer);
        assert_eq!(String::from_utf8_lossy(&sink.0.lock().expect("no writer panics")), expected);
    }

    /// Takes so many writes, and then blocks for ever, like a pipe that nobody reads.
    struct Blocked(usize);

    impl Write for Blocked {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                loop {
                    thread::park();
                }
            }
            self.0 -= 1;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_does_not_read_blocks_neither_lines_nor_the_end() {
        let (mut lines, (done, is_done)) = (Lines::default(), channel::<()>());
        thread::spawn(move || {
            let writer = lines.clone().write_to(Blocked(1)).expect("a thread");
            for _ in 0..10 {
                lines.write_all(&vec![b'x'; MOST_WAITING / 4]).expect("lines are taken");
            }
            drop(writer);
            done.send(())
        });
        is_done.recv_timeout(12 * PATIENCE).expect("lines and the end don't wait for the reader");
    }

    #[test]
    fn lines_that_nobody_reads_are_counted() {
        let mut lines = Lines::default();
        for _ in 0..3 {
            lines.write_all(&vec![b'x'; MOST_WAITING / 2]).expect("lines are taken");
        }
        let mut text = Vec::new();
        assert!(lines.next(&mut text));
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.ends_with("\"lost\":1}\n"), "{}", &text[text.len() - 80..]);
    }
}
