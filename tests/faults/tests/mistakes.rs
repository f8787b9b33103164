//! The checker is checked: each mistake, built into Gorilla, has to be found.

use std::time::Duration;

use gorilla_faults::{
    cell::Cell,
    check::Property,
    mistake::{self, Mistake},
    run::run,
};
use gorilla_harness::Replica;

/// Runs a Gorilla with a mistake until it shows; a seed at a time.
fn is_found(mistake: Mistake, cell: &str, property: Property) {
    is_found_within(6, mistake, cell, property);
}

/// The same, with so many seeds at most.
fn is_found_within(seeds: u64, mistake: Mistake, cell: &str, property: Property) {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let program = folder.path().join("gorilla");
    mistake.make(&Replica::program(), &program).expect("the mistake is made");
    let cell = Cell::all().into_iter().find(|one| one.to_string() == cell).expect("a cell has the name");
    for seed in 1..=seeds {
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
    is_found(mistake::RELEASE_BY_ANYBODY, "standalone/nothing", Property::StaleTokens);
}

#[test]
fn an_acquire_of_what_is_held_is_found() {
    is_found(mistake::ACQUIRE_WHAT_IS_HELD, "standalone/nothing", Property::Exclusion);
}

#[test]
fn a_fence_that_only_counts_is_found_where_data_is_lost() {
    is_found(mistake::FENCE_COUNTS, "standalone/redis-emptied", Property::Fencing);
}

#[test]
fn acquires_that_are_not_cancelled_are_found() {
    is_found(mistake::NOTHING_IS_CANCELLED, "standalone/clients-gone", Property::NoOrphans);
}

#[test]
fn a_queue_that_lets_others_in_is_found() {
    is_found(mistake::QUEUE_LETS_IN, "standalone/nothing", Property::Order);
}

#[test]
fn a_second_grant_for_one_key_is_found() {
    is_found(mistake::GRANTED_AGAIN, "standalone/nothing", Property::SafeRetry);
}

#[test]
fn a_version_that_keeps_its_records_elsewhere_is_found_beside_version_0_1() {
    is_found(mistake::KEYS_OF_ITS_OWN, "standalone/nothing+mixed", Property::SafeRetry);
}

#[test]
fn ended_holders_that_keep_their_permits_are_found() {
    is_found(mistake::PRUNE_FORGETS, "standalone/nothing", Property::NoOrphans);
}

#[test]
fn a_leave_that_calls_nobody_is_found() {
    is_found(mistake::LEAVE_CALLS_NOBODY, "standalone/nothing", Property::Conservation);
}

#[test]
fn a_join_that_ignores_the_queue_is_found() {
    // Somebody who fits has to come while one who does not fit waits: one run of five shows that.
    is_found_within(24, mistake::JOIN_IGNORES_QUEUE, "standalone/nothing", Property::Order);
}

#[test]
fn a_floor_of_ones_own_is_found() {
    is_found(mistake::FLOOR_IS_FENCE, "standalone/nothing", Property::Floors);
}

#[test]
fn a_release_with_any_secret_is_found() {
    is_found(mistake::ANY_SECRET_RELEASES, "standalone/nothing", Property::StaleTokens);
}

#[test]
fn a_copy_that_replaces_the_token_is_found() {
    is_found(mistake::COPIES_ROTATE, "standalone/nothing", Property::SafeRetry);
}

#[test]
fn permits_that_are_given_though_they_are_reserved_are_found() {
    is_found(mistake::RESERVED_FOR_NOBODY, "standalone/nothing", Property::Exclusion);
}

#[test]
fn parts_of_a_refused_set_that_are_not_given_back_are_found() {
    is_found(mistake::NOTHING_IS_CANCELLED, "standalone/nothing", Property::Sets);
}

#[test]
fn a_set_that_is_granted_in_part_is_found() {
    is_found(mistake::SETS_IN_PART, "standalone/nothing", Property::Sets);
}

#[test]
fn a_set_that_is_completed_though_a_part_is_gone_is_found() {
    // A part has to be broken while its set waits, and the set has to be granted all the same: one run of two shows that.
    is_found_within(24, mistake::SET_WITHOUT_ITS_PARTS, "standalone/nothing", Property::Sets);
}

#[test]
fn releases_of_a_batch_that_are_not_made_are_found() {
    is_found(mistake::RELEASED_IN_WORDS, "standalone/nothing", Property::Batches);
}

#[test]
fn an_item_of_a_batch_that_is_told_what_came_of_another_is_found() {
    is_found(mistake::TOLD_OF_THE_FIRST, "standalone/nothing", Property::Batches);
}

#[test]
fn a_look_that_tells_another_leader_is_found() {
    is_found(mistake::LEADERS_OF_ANY_TERM, "standalone/nothing", Property::Leaders);
}

#[test]
fn a_release_that_tells_nobody_is_found() {
    is_found(mistake::RELEASE_TELLS_NOBODY, "standalone/nothing", Property::Events);
}

#[test]
fn a_grant_that_is_told_with_another_fence_is_found() {
    is_found(mistake::FLOOR_IS_TOLD, "standalone/nothing", Property::Events);
}

#[test]
fn an_end_that_is_told_before_its_time_is_found_where_the_clock_is_set_back() {
    is_found(mistake::ENDS_BEFORE_ITS_TIME, "standalone/clock-back", Property::Events);
}
