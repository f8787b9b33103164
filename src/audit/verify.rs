//! Looks whether lines were changed, removed, inserted or reordered.

use std::{collections::HashSet, io::BufRead};

use super::link::{Link, NO_HASH, VERSION, hash};

/// Takes the lines of files, the oldest first.
#[derive(Debug, Default)]
pub struct Verifier {
    /// The chain so far.
    at: Option<At>,
    known: HashSet<String>,
    /// What is wrong, unless the next record explains it.
    doubt: Option<Doubt>,
    counts: Counts,
}

/// How far a chain has come.
#[derive(Debug)]
struct At {
    chain: String,
    first: u64,
    seq: u64,
    head: String,
}

/// A text that is no record.
#[derive(Debug)]
struct Doubt {
    place: String,
    text: Vec<u8>,
    /// Whether it stands at the end of a file, without a newline.
    is_open: bool,
}

/// What was verified.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records.
    pub records: u64,
    /// Files.
    pub files: u64,
    /// Each chain: its name, its first and its last number, and the hash of its last line.
    pub chains: Vec<(String, u64, u64, String)>,
    /// Whether the last line of the last file has no newline.
    pub is_torn: bool,
}

impl Verifier {
    /// Takes a file. An error is a sentence that names the file, the line and what is wrong.
    pub fn file(&mut self, name: &str, mut file: impl BufRead) -> Result<(), String> {
        self.counts.files += 1;
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let read = file.read_until(b'\n', &mut line);
            let place = format!("{name}:{number}");
            match read.map_err(|error| format!("{name} can't be read: {error}"))? {
                0 => break,
                _ if line.ends_with(b"\n") => {
                    line.pop();
                    self.line(place, &line, false)?;
                }
                _ => self.line(place, &line, true)?,
            }
        }
        Ok(())
    }

    /// What was verified. An error is a sentence.
    pub fn finish(mut self) -> Result<Counts, String> {
        match self.doubt.take() {
            Some(doubt) if !doubt.is_open => return Err(doubt.sentence()),
            doubt => self.counts.is_torn = doubt.is_some(),
        }
        self.end_chain();
        Ok(self.counts)
    }

    /// `is_open`: the line has no newline.
    fn line(&mut self, place: String, line: &[u8], is_open: bool) -> Result<(), String> {
        let Some(link) = Link::of(line) else {
            return match self.doubt.replace(Doubt { place, text: line.to_vec(), is_open }) {
                Some(doubt) => Err(doubt.sentence()),
                None => Ok(()),
            };
        };
        if let Some(doubt) = self.doubt.take().filter(|doubt| !doubt.is_explained(&link, line)) {
            return Err(doubt.sentence());
        }
        if link.v != VERSION {
            return Err(format!("{place}: v is {}, and this version of gorilla knows only {VERSION}", link.v));
        }
        let goes_on = self.at.as_ref().is_some_and(|at| at.chain == link.chain);
        match &self.at {
            Some(at) if goes_on => at.check(&link).map_err(|wrong| format!("{place}: {wrong}"))?,
            at => {
                // The oldest file may begin anywhere.
                let begins = link.seq == 1 || at.is_none();
                if !begins || self.known.contains(&link.chain) {
                    let (seq, chain) = (link.seq, &link.chain);
                    return Err(format!(
                        "{place}: record {seq} of the chain {chain} stands where a chain must go on or begin: lines \
                         are missing before it, or files are not in order"
                    ));
                }
                if link.seq == 1 && link.prev != NO_HASH {
                    return Err(format!("{place}: the first record of a chain must have 64 zeros as prev"));
                }
            }
        }
        if !goes_on {
            self.end_chain();
        }
        self.counts.records += 1;
        let head = hash(line);
        match &mut self.at {
            Some(at) => (at.seq, at.head) = (link.seq, head),
            at => {
                self.known.insert(link.chain.clone());
                *at = Some(At { chain: link.chain, first: link.seq, seq: link.seq, head });
            }
        }
        Ok(())
    }

    fn end_chain(&mut self) {
        if let Some(At { chain, first, seq, head }) = self.at.take() {
            self.counts.chains.push((chain, first, seq, head));
        }
    }
}

impl At {
    /// Whether a record of the same chain is the next one. An error is the end of a sentence.
    fn check(&self, link: &Link) -> Result<(), String> {
        let (seq, last) = (link.seq, self.seq);
        if seq <= last {
            return Err(format!("seq is {seq} after {last}: lines were reordered, repeated or inserted"));
        }
        if seq > last + 1 {
            return Err(format!("seq is {seq} after {last}: lines are missing before it"));
        }
        match link.prev == self.head {
            true => Ok(()),
            false => Err("prev is not the SHA-256 of the line before: one of the two lines was changed".into()),
        }
    }
}

impl Doubt {
    /// Whether the next record explains it.
    fn is_explained(&self, next: &Link, line: &[u8]) -> bool {
        match self.is_open {
            // The file was rotated while a line could be written only in part, and the next file has it whole.
            true => line.starts_with(&self.text),
            // The replica was killed while it wrote the line.
            false => (next.event.as_str(), next.outcome.as_str()) == ("reload", "torn"),
        }
    }

    fn sentence(self) -> String {
        format!("{}: the line is not a record", self.place)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::audit::chain::Chain;

    fn lines(chain: &mut Chain, count: usize) -> Vec<String> {
        let mut text = Vec::new();
        for _ in 0..count {
            chain.append(&mut text, SystemTime::now(), r#"{"event":"grant","outcome":"granted"}"#);
        }
        String::from_utf8(text).expect("UTF-8").lines().map(String::from).collect()
    }

    fn verify(files: &[String]) -> Result<Counts, String> {
        let mut verifier = Verifier::default();
        for (number, text) in files.iter().enumerate() {
            verifier.file(&format!("file{number}"), text.as_bytes())?;
        }
        verifier.finish()
    }

    fn text(lines: &[String]) -> String {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[track_caller]
    fn refused(files: &[String], says: &str) {
        let wrong = verify(files).expect_err("it is found");
        assert!(wrong.contains(says), "{wrong}");
    }

    #[test]
    fn whole_chains_are_counted_over_files() {
        let (mut first, mut second) = (Chain::default(), Chain::default());
        let (a, b) = (lines(&mut first, 5), lines(&mut second, 2));
        let counts = verify(&[text(&a[1..3]), text(&a[3..]) + &text(&b)]).expect("whole chains");
        let heads = [(first.id, 2, 5, first.head), (second.id, 1, 2, second.head)];
        assert_eq!((counts.records, counts.files, counts.chains.as_slice()), (6, 2, heads.as_slice()));
        assert_eq!(verify(&[]).expect("nothing is wrong").records, 0);
    }

    #[test]
    fn a_line_that_was_changed_removed_repeated_inserted_or_moved_is_found() {
        let all = lines(&mut Chain::default(), 5);
        let with = |change: &dyn Fn(&mut Vec<String>)| {
            let mut changed = all.clone();
            change(&mut changed);
            [text(&changed)]
        };
        let changed = "file0:3: prev is not the SHA-256 of the line before";
        refused(&with(&|all| all[1] = all[1].replace("granted", "replayed")), changed);
        refused(&with(&|all| drop(all.remove(1))), "file0:2: seq is 3 after 1: lines are missing");
        refused(&with(&|all| all.insert(1, all[0].clone())), "file0:2: seq is 1 after 1");
        refused(&with(&|all| all.swap(1, 2)), "file0:2: seq is 3 after 1");
        refused(&with(&|all| all.insert(2, "hello".into())), "file0:3: the line is not a record");
        refused(&with(&|all| all[4] = "hello".into()), "file0:5: the line is not a record");
        refused(&with(&|all| all[4] = all[4].replace("\"v\":1", "\"v\":2")), "file0:5: v is 2");
        refused(&[text(&all[3..]), text(&all[..3])], "file1:1: seq is 1 after 5");
        let mut other = Chain::default();
        let other = lines(&mut other, 3);
        refused(&[text(&all), text(&other[1..])], "file1:1: record 2 of the chain");
    }

    #[test]
    fn a_torn_line_must_be_explained() {
        let mut chain = Chain::default();
        let all = lines(&mut chain, 3);
        let torn = "{\"v\":1,\"ti";
        assert!(verify(&[text(&all) + torn]).expect("it may be written now").is_torn);
        let mut told = Vec::new();
        chain.append(&mut told, SystemTime::now(), r#"{"event":"reload","outcome":"torn"}"#);
        let told = String::from_utf8(told).expect("UTF-8");
        assert_eq!(verify(&[text(&all) + torn + "\n" + &told]).expect("it is explained").records, 4);
        // A disk was full, and the file was rotated.
        let (start, rest) = (&all[2][..30], text(&all[2..]));
        assert_eq!(verify(&[text(&all[..2]) + start, rest.clone()]).expect("the line is whole there").records, 3);
        refused(&[text(&all[..2]) + "{\"no\"", rest], "file0:3: the line is not a record");
    }
}
