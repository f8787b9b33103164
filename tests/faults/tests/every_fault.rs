//! Each cell of the table once, with one seed and for a few seconds. `make faults` runs more seeds for longer.

use std::{path::Path, time::Duration};

use gorilla_faults::{
    cell::{Cell, Fault},
    run::run,
};
use gorilla_harness::Replica;

/// Runs a cell, and leaves its history to be looked at if a promise broke that may not break there.
fn keeps_its_promises(name: &str) {
    let cell = Cell::all().into_iter().find(|cell| cell.to_string() == name).expect("a cell has the name");
    let outcome = run(cell, 1, Duration::from_secs(6), Replica::program());
    let unexpected: Vec<_> = outcome.unexpected().iter().map(ToString::to_string).collect();
    if !unexpected.is_empty() {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace('/', "-") + ".jsonl");
        outcome.history.write(&file).expect("the history can be written");
        println!("the history is in {}", file.display());
    }
    println!("{} grants, {} injections, {:?}", outcome.sum.grants, outcome.injections, outcome.sum.answers);
    assert_eq!(unexpected, Vec::<String>::new());
    assert_eq!(outcome.internal_errors(), 0);
    assert!(outcome.sum.grants >= 10, "only {} grants", outcome.sum.grants);
    let granted = |what| outcome.sum.answers.get(&(what, "200".to_string())).copied().unwrap_or_default();
    // A replica of version 0.1 knows neither, so where one is, chance decides.
    assert!(cell.has_0_1() || granted("set") > 0 && granted("batch") > 0, "no set was granted, or no batch answered");
    assert!(outcome.injections > 0 || cell.fault == Fault::Nothing);
    assert_eq!(outcome.heard().0 > 0, cell.listens(), "listeners were told of {:?} events and gaps", outcome.heard());
}

/// A test for each name, and a test that every cell has a test.
macro_rules! cells {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                keeps_its_promises($name);
            }
        )*

        #[test]
        fn every_cell_has_its_test() {
            let cells: Vec<_> = Cell::all().iter().map(ToString::to_string).collect();
            assert_eq!(cells, [$($name),*]);
        }
    };
}

cells! {
    standalone_nothing: "standalone/nothing",
    standalone_replica_killed: "standalone/replica-killed",
    standalone_replica_paused: "standalone/replica-paused",
    standalone_rolling_restart: "standalone/rolling-restart",
    standalone_clients_gone: "standalone/clients-gone",
    standalone_redis_paused: "standalone/redis-paused",
    standalone_redis_killed: "standalone/redis-killed",
    standalone_replies_dropped: "standalone/replies-dropped",
    standalone_requests_dropped: "standalone/requests-dropped",
    standalone_connections_reset: "standalone/connections-reset",
    standalone_latency: "standalone/latency",
    standalone_disk_full: "standalone/disk-full",
    standalone_scripts_flushed: "standalone/scripts-flushed",
    standalone_redis_emptied: "standalone/redis-emptied",
    standalone_flushed: "standalone/flushed",
    standalone_clock_forward: "standalone/clock-forward",
    standalone_clock_back: "standalone/clock-back",
    standalone_evicted: "standalone/evicted",
    sentinel_master_killed: "sentinel/master-killed",
    sentinel_master_hung: "sentinel/master-hung",
    sentinel_master_cut_off: "sentinel/master-cut-off",
    cluster_master_killed: "cluster/master-killed",
    cluster_master_hung: "cluster/master-hung",
    cluster_resharded: "cluster/resharded",
    standalone_redis_emptied_with_grace: "standalone/redis-emptied+grace",
    standalone_flushed_with_grace: "standalone/flushed+grace",
    sentinel_master_killed_with_grace: "sentinel/master-killed+grace",
    cluster_master_killed_with_grace: "cluster/master-killed+grace",
    sentinel_master_killed_with_grace_with_ack: "sentinel/master-killed+grace+ack",
    sentinel_master_cut_off_with_grace_with_ack: "sentinel/master-cut-off+grace+ack",
    standalone_upgrade: "standalone/upgrade",
    standalone_roll_back: "standalone/roll-back",
    sentinel_upgrade: "sentinel/upgrade",
    cluster_roll_back: "cluster/roll-back",
    standalone_nothing_with_both_versions: "standalone/nothing+mixed",
    standalone_clients_gone_with_both_versions: "standalone/clients-gone+mixed",
    standalone_replies_dropped_with_both_versions: "standalone/replies-dropped+mixed",
    sentinel_master_killed_with_grace_with_both_versions: "sentinel/master-killed+grace+mixed",
    cluster_resharded_with_both_versions: "cluster/resharded+mixed",
}
