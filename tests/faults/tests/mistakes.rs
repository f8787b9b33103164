//! The checker is checked: each mistake, built into Gorilla, has to be found.

use std::time::Duration;

use gorilla_faults::{
    cell::{Cell, Fault},
    check::Property,
    mistake::{self, Mistake},
    run::run,
};
use gorilla_harness::Replica;

/// Runs a Gorilla with a mistake until it shows; a seed at a time.
fn is_found(mistake: Mistake, fault: Fault, property: Property) {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let program = folder.path().join("gorilla");
    mistake.make(&Replica::program(), &program).expect("the mistake is made");
    let cell = Cell::all().into_iter().find(|cell| cell.fault == fault && !cell.grace).expect("a cell");
    for seed in 1..=4 {
        let outcome = run(cell, seed, Duration::from_secs(6), program.clone());
        let shows = outcome.violations.iter().find(|violation| violation.property() == property);
        if let Some(violation) = shows {
            println!("seed {seed}: {} broken promises: {violation}", outcome.violations.len());
            return;
        }
    }
    panic!("nothing was found");
}

#[test]
fn a_release_by_anybody_is_found() {
    is_found(mistake::RELEASE_BY_ANYBODY, Fault::Nothing, Property::StaleTokens);
}

#[test]
fn an_acquire_of_what_is_held_is_found() {
    is_found(mistake::ACQUIRE_WHAT_IS_HELD, Fault::Nothing, Property::Exclusion);
}

#[test]
fn a_fence_that_only_counts_is_found_where_data_is_lost() {
    is_found(mistake::FENCE_COUNTS, Fault::RedisEmptied, Property::Fencing);
}

#[test]
fn acquires_that_are_not_cancelled_are_found() {
    is_found(mistake::NOTHING_IS_CANCELLED, Fault::ClientsGone, Property::NoOrphans);
}

#[test]
fn a_queue_that_lets_others_in_is_found() {
    is_found(mistake::QUEUE_LETS_IN, Fault::Nothing, Property::Order);
}

#[test]
fn a_second_grant_for_one_key_is_found() {
    is_found(mistake::GRANTED_AGAIN, Fault::Nothing, Property::SafeRetry);
}
