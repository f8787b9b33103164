//! `gorilla audit verify`: looks whether audit files were changed.

use std::{fs::File, io::BufReader, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    audit::{Counts, Verifier},
    commands::messages::fail,
};

/// Look whether lines of audit files were changed, removed, inserted or reordered.
///
/// Each record has the hash of the one before. Whoever can write a file can still write a whole new one, or cut off its
/// end: compare the head that this prints with the heads in the log of the replica.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 the records are whole, 1 they are not, or a file can't be read\n\n\
    Examples:\n  gorilla audit verify audit.log.2 audit.log.1 audit.log\n  \
    gorilla audit verify <(zcat audit.log.2.gz) audit.log.1 audit.log")]
pub struct Verify {
    /// The files of one replica, the oldest first
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Verify {
    pub fn run(&self) -> Result<(), ExitCode> {
        let counts = self.verify().map_err(|wrong| fail(format!("{wrong}.")))?;
        let Counts { records, files, chains, is_torn } = counts;
        let (record, file, chain) = (of(records, "record"), of(files, "file"), of(chains.len() as u64, "chain"));
        let torn = if is_torn { "; the last line is torn, or is being written" } else { "" };
        println!("{record} in {file}, {chain}{torn}");
        for (chain, first, last, head) in chains {
            println!("{chain}: {first} to {last}, head {head}");
        }
        Ok(())
    }

    fn verify(&self) -> Result<Counts, String> {
        let mut verifier = Verifier::default();
        for path in &self.files {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| format!("{name} can't be read: {error}"))?;
            verifier.file(&name, BufReader::new(file))?;
        }
        verifier.finish()
    }
}

fn of(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
