//! `make faults`: runs cells, prints the table, and keeps the histories that show a broken promise.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use clap::{Parser, Subcommand};
use gorilla_faults::{
    cell::Cell,
    check::check,
    history::{History, SECOND},
    report::Table,
    run::{Outcome, run},
};
use gorilla_harness::Replica;

/// Runs Gorilla under faults, and decides from what its clients saw whether it kept its promises.
#[derive(Parser)]
#[command(name = "faults")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs cells of the table. Exits with 1 if a promise broke that may not break there.
    Run {
        /// Parts of the names of cells, such as `sentinel/` or `redis-killed`. Without names all cells run.
        cells: Vec<String>,
        /// How many seeds each cell is run with.
        #[arg(long, default_value_t = 1)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        first_seed: u64,
        /// For how long each run lasts, in seconds; getting ready and the end come on top.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// Runs at once.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Where to keep histories that show a broken promise that may not break in that cell.
        #[arg(long, default_value = "target/faults")]
        histories: PathBuf,
        /// Keep all histories.
        #[arg(long)]
        keep: bool,
        /// Where the table is written, beside being printed.
        #[arg(long)]
        table: Option<PathBuf>,
    },
    /// Checks a history from an earlier run, and says what is wrong with it.
    Check {
        /// The file.
        history: PathBuf,
    },
    /// Lists the cells, and which promises may break in them.
    List,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::List => {
            for cell in Cell::all() {
                println!("{cell:40} {:?}", cell.may_break());
            }
            ExitCode::SUCCESS
        }
        Command::Check { history } => match History::read(&history) {
            Ok(history) => {
                let violations = check(&history);
                violations.iter().for_each(|violation| println!("{:?}: {violation}", violation.property()));
                println!("{} events, {} broken promises", history.events.len(), violations.len());
                if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                eprintln!("{}: {error}", history.display());
                ExitCode::from(66)
            }
        },
        Command::Run { cells, seeds, first_seed, seconds, jobs, histories, keep, table } => {
            let chosen = |cell: &Cell| cells.is_empty() || cells.iter().any(|part| cell.to_string().contains(part));
            let chosen: Vec<_> = Cell::all().into_iter().filter(chosen).collect();
            if chosen.is_empty() {
                eprintln!("no cell has such a name; `faults list` has them all");
                return ExitCode::from(64);
            }
            // All cells run with one seed, then all with the next.
            let runs: Vec<_> = (first_seed..first_seed + seeds)
                .flat_map(|seed| chosen.iter().map(move |cell| (*cell, seed)))
                .collect();
            campaign(&runs, Duration::from_secs(seconds), jobs, (&histories, keep), table.as_deref())
        }
    }
}

fn campaign(
    runs: &[(Cell, u64)],
    time: Duration,
    jobs: usize,
    histories: (&Path, bool),
    file: Option<&Path>,
) -> ExitCode {
    let (next, failed, table) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Table::default()));
    let program = Replica::program();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(&(cell, seed)) = runs.get(next.fetch_add(1, Relaxed)) {
                    let outcome = std::panic::catch_unwind(|| run(cell, seed, time, program.clone()));
                    // The task has already printed what went wrong.
                    let Ok(outcome) = outcome else {
                        println!("{cell} seed {seed}: the run itself failed");
                        failed.store(true, Relaxed);
                        continue;
                    };
                    if !say(&outcome, histories) {
                        failed.store(true, Relaxed);
                    }
                    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
                    table.add(&outcome);
                    if let Some(Err(error)) = file.map(|file| fs::write(file, table.markdown())) {
                        eprintln!("the table can't be written: {error}");
                    }
                }
            });
        }
    });
    println!("\n{}", table.into_inner().unwrap_or_else(PoisonError::into_inner).markdown());
    if failed.load(Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints what came of a run, and keeps its history if something is wrong or all are kept; whether nothing is wrong.
fn say(outcome: &Outcome, (histories, keep): (&Path, bool)) -> bool {
    let Outcome { cell, seed, sum, injections, violations, .. } = outcome;
    let gap = sum.longest_gap as f64 / SECOND as f64;
    println!(
        "{cell} seed {seed}: {} grants, {injections} injections, {} broken promises, {gap:.1} s without a grant at most",
        sum.grants,
        violations.len()
    );
    let (unexpected, internal) = (outcome.unexpected(), outcome.internal_errors());
    let is_sound = unexpected.is_empty() && internal == 0;
    if is_sound && !keep {
        return true;
    }
    unexpected.iter().for_each(|violation| println!("  {:?}: {violation}", violation.property()));
    if internal > 0 {
        println!("  {internal} answers were 500");
    }
    let file = histories.join(format!("{}-{seed}.jsonl", cell.to_string().replace('/', "-")));
    match fs::create_dir_all(histories).and_then(|()| outcome.history.write(&file)) {
        Ok(()) => println!("  faults check {}", file.display()),
        Err(error) => println!("  {} can't be written: {error}", file.display()),
    }
    is_sound
}
