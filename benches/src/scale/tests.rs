//! Tests the simulation against the formulas.

use super::{
    bounds::{bounds, least},
    costs::{Cost, Costs},
    simulate::{Setup, simulate},
};

/// Costs as they were measured once.
pub const COSTS: Costs = Costs {
    load: Cost { each: 12.0, command: 0.0, wake: 15.0 },
    replica: Cost { each: 30.0, command: 15.0, wake: 40.0 },
    redis: Cost { each: 18.0, command: 8.0, wake: 35.0 },
};

fn apart(replicas: usize, masters: usize, clients: usize) -> Setup {
    Setup { replicas, masters, cluster: masters > 1, clients, rest: 0.0, cores: None, round_trip: 500.0 }
}

/// The simulation must come near to the formula, which names this part as the one that bounds the whole.
fn agrees(setup: &Setup, seconds: f64, part: &str) {
    let (seen, bound) = (simulate(setup, &COSTS, seconds, 7), least(&bounds(setup, &COSTS)));
    let ratio = seen.cycles_per_s / bound.1;
    assert!(bound.0 == part && (0.95..1.03).contains(&ratio), "{setup:?}: {seen:?}, {bound:?}");
}

#[test]
fn at_saturation_the_simulation_reaches_what_the_formula_says_whatever_is_the_bottleneck() {
    agrees(&apart(2, 12, 1024), 1.0, "replicas");
    agrees(&apart(12, 3, 4096), 1.0, "masters");
    let here = Setup { cores: Some(2), round_trip: 0.0, ..apart(4, 3, 256) };
    agrees(&here, 1.0, "cores");
    // A lone client meets nobody, and rests. Its rests are random, so it takes many of them.
    agrees(&Setup { rest: 5_000.0, ..apart(1, 1, 1) }, 50.0, "clients");
}

#[test]
fn batches_of_a_busy_replica_have_the_requests_of_one_turn_for_each_script() {
    let seen = simulate(&apart(1, 1, 256), &COSTS, 1.0, 7);
    assert!((6.0..10.0).contains(&seen.batch), "{seen:?}");
    assert_eq!(simulate(&apart(2, 12, 256), &COSTS, 1.0, 7).batch, 1.0);
}

#[test]
fn clients_answers_and_time_follow_littles_law() {
    for setup in [apart(2, 1, 64), Setup { rest: 3_000.0, ..apart(2, 3, 64) }] {
        let seen = simulate(&setup, &COSTS, 2.0, 7);
        // Each client spends its time with two requests and a rest. A release takes about as long as an acquire.
        let clients = seen.cycles_per_s / 1e6 * (2.0 * seen.median + setup.rest);
        assert!((58.0..70.0).contains(&clients), "{clients} {seen:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_prediction_and_another_seed_another() {
    let seen = |seed| simulate(&apart(2, 3, 64), &COSTS, 0.3, seed);
    assert_eq!(seen(1), seen(1));
    assert_ne!(seen(1), seen(2));
    let ratio = seen(1).cycles_per_s / seen(2).cycles_per_s;
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
}
