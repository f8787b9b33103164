//! Counts the instructions of requests, and compares them with `benches/budget.toml`.
//!
//! On a machine that does other things, time and CPU time vary by tens of percent, and hide a slow-down of some
//! percent. Instructions hardly vary, so the review of a change shows that it makes a request dearer. Instructions
//! don't show the time that the kernel takes, nor waiting for memory: `bench run` shows these.

mod access;
mod callgrind;
pub mod file;
mod kinds;
mod measure;

use std::{collections::BTreeMap, env::consts::ARCH, fs, path::Path};

use anyhow::{Context, Result, ensure};
use gorilla_harness::Redis;
use itertools::Itertools;

use crate::{machine::said, results::Spread};
pub use access::{in_instructions as access, in_time as access_time};
use callgrind::Counted;
use file::Budget;
use kinds::{OF_REDIS, OF_REPLICA};
use measure::{COUNTED, WARM_UP, measure};

/// The committed budget.
pub const FILE: &str = "benches/budget.toml";
/// Processes that are measured, one after the other, for the median: the first moments of a process decide a part of
/// what its requests cost. With glibc's allocator figures differed by up to 1 % from one process to the next.
const ROUNDS: usize = 3;

/// Measures the program and Redis, and compares them with the budget, or writes the budget anew.
pub fn run(program: &Path, write: bool) -> Result<()> {
    let budget = Budget::load(Path::new(FILE))?;
    let made_with = circumstances(program)?;
    let known = &budget.made_with;
    ensure!(write || known.contains(ARCH), "{FILE} was made with {known}, and says nothing about {ARCH}");
    let mut rounds = vec![];
    for _ in 0..ROUNDS {
        rounds.extend([of_replica(program)?, of_redis(true)?, of_redis(false)?].concat());
    }
    let rounds = rounds.into_iter().into_group_map().into_iter();
    let measured: BTreeMap<_, _> =
        rounds.filter_map(|(kind, all)| Some((kind.to_string(), Spread::of(all)?))).collect();
    if write {
        budget.save(Path::new(FILE), made_with, &measured)?;
        println!("Wrote {FILE}. Say in the commit what the new instructions pay for, or what saved instructions.");
        return Ok(());
    }
    if made_with != *known {
        println!("The budget was made with {known}, and these figures with {made_with}. That alone changes");
        println!("figures, so {} % are tolerated.\n", budget.tolerance_percent_elsewhere);
    }
    let (lines, is_kept) = budget.compared(&made_with, &measured);
    print!("{lines}");
    ensure!(
        is_kept,
        "{FILE} isn't kept. If your change is worth its instructions, or saves some, run `make budget ARGS=--write`, and say \
         in the commit what the instructions pay for, or what saved them. If it isn't, callgrind_annotate shows where they \
         go"
    );
    Ok(())
}

/// What the figures depend on besides Gorilla's source and Cargo.lock: the compiler and its target; the C library,
/// which copies and compares; Valgrind, because its version decides which processor the program sees, and so how the
/// library copies; and Redis.
fn circumstances(program: &Path) -> Result<String> {
    const MARK: &str = "rustc version ";
    let shown = program.display();
    // The program names its compiler. The compiler in PATH may be another one.
    let bytes =
        fs::read(program).with_context(|| format!("{shown} can't be read; `cargo build --release` makes it"))?;
    let text = String::from_utf8_lossy(&bytes);
    let (_, compiler) = text.split_once(MARK).with_context(|| format!("{shown} does not say which rustc made it"))?;
    let compiler = compiler.split('\0').next().unwrap_or_default();
    let library = said("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_else(|| "a C library that is not glibc".into());
    let valgrind = said("valgrind", &["--version"])
        .context("valgrind, which counts instructions, is not in PATH; `make budget` installs it")?;
    let redis = said(Redis::program(), &["--version"]).unwrap_or_default();
    let redis = redis.split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or("of an unknown version");
    Ok(format!("rustc {compiler} for {ARCH}, {library}, {valgrind}, Redis {redis}"))
}

/// The instructions of a replica for each kind of request.
fn of_replica(program: &Path) -> Result<Vec<(&'static str, f64)>> {
    let redis = Redis::start(&[]);
    let replica = Counted::replica(&program.to_string_lossy(), &redis)?;
    let mut client = kinds::Client::of(replica.port, redis.port)?;
    measure(&replica, &mut client, &OF_REPLICA)
}

/// The instructions of Redis for each kind of work, for each lock.
fn of_redis(has_aof: bool) -> Result<Vec<(&'static str, f64)>> {
    let counted = Counted::redis(has_aof)?;
    let mut driver = kinds::Driver::of(counted.port)?;
    let measured = OF_REDIS.into_iter().map(|(with_aof, without_aof, work)| {
        let [warm_up, all] = [WARM_UP, WARM_UP + COUNTED].map(|locks| locks.div_ceil(work.locks()));
        (0..warm_up).try_for_each(|step| driver.step(work, step))?;
        counted.forget()?;
        (warm_up..all).try_for_each(|step| driver.step(work, step))?;
        let each = counted.counted()? / ((all - warm_up) * work.locks()) as f64;
        Ok((if has_aof { with_aof } else { without_aof }, each))
    });
    measured.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_budget_has_the_kinds_that_are_measured() {
        let budget = Budget::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml")).expect("the budget");
        let of_redis = OF_REDIS.iter().flat_map(|kind| [kind.0, kind.1]);
        let measured = OF_REPLICA.iter().map(|kind| kind.0).chain(of_redis).sorted();
        assert_eq!(budget.instructions.keys().collect_vec(), measured.collect_vec());
    }
}
