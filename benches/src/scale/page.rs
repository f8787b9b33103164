//! The measured sections of docs/internals/scale.md: what was measured, what the model predicts of it and of more, and
//! whether that came true.

use std::{fs, ops::RangeInclusive, path::Path};

use anyhow::{Context, Result, ensure};
use itertools::Itertools;

use crate::{
    report::document::filled, report::document::wrapped, report::figures::Unit, report::figures::count,
    report::figures::ratio, report::tables, report::tables::row, results::Cell, results::Results, results::Spread,
};

use super::{
    bounds::bounds, bounds::demand, bounds::least, costs::Cost, costs::Costs, measure, measure::Measured, measure::OWN,
    simulate::SEED, simulate::Setup, simulate::simulate,
};

/// A prediction may be this part of what was measured.
const NEAR: RangeInclusive<f64> = 0.8..=1.2;
/// How busy a replica or a master may be, so that there is room for more.
const ROOM: f64 = 0.7;
/// Microseconds of a round trip between two machines.
const ROUND_TRIPS: [f64; 3] = [100.0, 500.0, 1000.0];
/// Microseconds for which clients rest between two locks, where a rate is asked for.
const REST: f64 = 20_000.0;

/// The costs, fitted to all rounds.
pub fn costs(results: &Results) -> Result<Costs> {
    costs_of(results, |_| true).context("there are no samples of the set-ups to which the costs are fitted")
}

/// The costs, fitted to the samples of some rounds.
fn costs_of(results: &Results, is_wanted: impl Fn(u32) -> bool) -> Option<Costs> {
    let fitted = measure::ALL.iter().filter(|measured| measured.is_fitted).map(|measured| measured.name).collect_vec();
    let samples = results.of(OWN).filter(|sample| is_wanted(sample.round) && fitted.contains(&&*sample.contestant));
    let samples = samples.map(|sample| &sample.figures).collect_vec();
    (!samples.is_empty()).then(|| Costs::of(&samples))
}

/// Fills the measured sections of the page.
pub fn write(results: &Results, page: &Path) -> Result<()> {
    let before = fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let costs = costs(results)?;
    let cores =
        results.circumstances.get("cores").and_then(|cores| cores.parse().ok()).context("no number of cores")?;
    let known = ["sizes", "costs", "prediction", "saturation", "network", "hot", "machine"];
    for section in known {
        ensure!(before.contains(&crate::report::document::opening(section)), "there is no section {section}");
    }
    let after = filled(&before, |section| match section {
        "sizes" => sizes(&costs),
        "costs" => told(&costs),
        "prediction" => prediction(results, cores),
        "saturation" => saturation(&costs),
        "network" => network(&costs),
        "hot" => hot(results),
        "machine" => tables::circumstances(results),
        unknown => format!("There is no section {unknown}.\n"),
    })?;
    fs::write(page, after)?;
    println!("{} samples are told in {}", results.samples.len(), page.display());
    Ok(())
}

fn table<const N: usize>(columns: [&str; N], rows: impl IntoIterator<Item = String>) -> String {
    let [first, others @ ..] = &columns[..] else { return String::new() };
    let line = format!("|---|{}\n", "--:|".repeat(others.len()));
    row(first, others.iter().map(ToString::to_string)) + &line + &rows.into_iter().collect::<String>()
}

fn micros(value: f64) -> String {
    Unit::Micros.say(value)
}

fn per_second(value: f64) -> String {
    Unit::Count.say(value)
}

/// Replicas and masters on machines of their own, with a core for each.
fn apart(replicas: usize, masters: usize, clients: usize, round_trip: f64) -> Setup {
    Setup { replicas, masters, cluster: masters > 1, clients, rest: 0.0, cores: None, round_trip }
}

/// How many replicas and masters a rate takes, and the latency then.
fn sizes(costs: &Costs) -> String {
    let rows = [10_000, 100_000, 1_000_000].map(|rate: u64| {
        let needed = |cost: Cost, cluster| (rate as f64 * demand(cost, cluster) / 1e6 / ROOM).ceil() as usize;
        let masters = if needed(costs.redis, false) == 1 { 1 } else { needed(costs.redis, true).max(3) };
        let replicas = needed(costs.replica, masters > 1);
        let redis = if masters == 1 { "one Redis".into() } else { format!("Cluster of {}", count(masters as u64)) };
        let latencies = ROUND_TRIPS.map(|round_trip| {
            let setup = apart(replicas, masters, 0, round_trip);
            let cycle = REST + super::bounds::alone(&setup, costs);
            let setup = Setup { rest: REST, clients: (rate as f64 * cycle / 1e6).ceil() as usize, ..setup };
            let seen = simulate(&setup, costs, (50_000.0 / rate as f64).clamp(0.1, 1.0), SEED);
            format!("{}, {}", micros(seen.median), micros(seen.p99))
        });
        row(&count(rate), [count(replicas as u64), redis].into_iter().chain(latencies))
    });
    let columns = [
        "locks a second",
        "replicas",
        "masters",
        "an acquire, median and 99th percentile: round trip 0.1 ms",
        "0.5 ms",
        "1 ms",
    ];
    table(columns, rows)
}

fn told(costs: &Costs) -> String {
    let rows =
        [("load generator", costs.load), ("replica", costs.replica), ("master", costs.redis)].map(|(name, cost)| {
            let Cost { each, command, wake } = cost;
            row(name, [each, command, wake, demand(cost, false), demand(cost, true)].map(micros))
        });
    let columns = ["process", "a request", "a command", "a wake-up", "a lock under load, one Redis", "in a Cluster"];
    table(columns, rows)
}

/// What was predicted for a set-up, divided by what was measured, round by round. Costs are those of the same round.
fn compared(results: &Results, measured: &Measured, clients: u64, cores: usize) -> Option<(Spread, Spread)> {
    let samples = results.of(OWN).filter(|sample| sample.contestant == measured.name && sample.at == clients);
    let pairs = samples.filter_map(|sample| {
        let costs = costs_of(results, |round| round == sample.round)?;
        let others = sample.figures.get("others_cores").copied().unwrap_or_default();
        let seen = simulate(&measured.setup(clients, cores), &costs, 1.0, SEED);
        // Other programs may have left fewer cores than this needs.
        let predicted = seen.cycles_per_s * ((cores as f64 - others) / seen.cores).min(1.0);
        Some((predicted, predicted / sample.figures.get("cycles_per_s")?))
    });
    let (predicted, ratios): (Vec<_>, Vec<_>) = pairs.unzip();
    Spread::of(predicted).zip(Spread::of(ratios))
}

/// Whether a prediction came true.
fn verdict(ratio: f64) -> &'static str {
    if NEAR.contains(&ratio) { "within 20 %" } else { "**outside**" }
}

fn prediction(results: &Results, cores: usize) -> String {
    let (mut rows, mut all, mut near) = (vec![], 0, 0);
    for measured in &measure::ALL {
        for &clients in measured.clients {
            let cell = Cell { workload: OWN, contestant: measured.name, at: clients };
            let seen = results.figure(cell, "cycles_per_s");
            let Some(((predicted, against), seen)) = compared(results, measured, clients, cores).zip(seen) else {
                rows.push(row(
                    measured.name,
                    [count(clients), "–".into(), "–".into(), "–".into(), "not measured".into()],
                ));
                continue;
            };
            let verdict = verdict(against.median);
            if !measured.is_fitted {
                (all, near) = (all + 1, near + usize::from(NEAR.contains(&against.median)));
            }
            let verdict = if measured.is_fitted { format!("fitted, {verdict}") } else { verdict.into() };
            let cells = [seen, predicted].map(|spread| Unit::Count.spread(spread));
            let cells = [count(clients)].into_iter().chain(cells).chain([ratio(against, 3), verdict]);
            rows.push(row(measured.name, cells));
        }
    }
    let others = results.of(OWN).filter_map(|sample| sample.figures.get("others_cores").copied());
    let others = Spread::of(others).map(|spread| format!("{:.2} ({:.2}–{:.2})", spread.median, spread.min, spread.max));
    let note = format!(
        "Of {all} predictions that are not fitted, {near} are within 20 %. Other programs took {} of the {cores} cores \
         meanwhile.",
        others.unwrap_or_else(|| "an unknown part".into())
    );
    let columns = [
        "set-up on this machine",
        "clients",
        "locks a second, measured",
        "predicted",
        "predicted ÷ measured",
        "result",
    ];
    table(columns, rows) + "\n" + &wrapped(&note)
}

/// What each of many set-ups can do, by the simulation and on paper.
fn saturation(costs: &Costs) -> String {
    let setups = [(1, 1), (2, 1), (4, 1), (8, 1), (8, 3), (16, 3), (16, 12), (128, 96)];
    let rows = setups.map(|(replicas, masters)| {
        let setup = apart(replicas, masters, 256 * replicas, 500.0);
        let seen = simulate(&setup, costs, if replicas > 16 { 0.3 } else { 1.0 }, SEED);
        let (part, most) = least(&bounds(&setup, costs));
        let redis = if masters == 1 { "one Redis".into() } else { format!("Cluster of {masters}") };
        let busy = seen.busy.map(|busy| Unit::Percent.say(busy.min(1.0) * 100.0));
        let cells = [redis, per_second(seen.cycles_per_s), per_second(most), part.into()];
        row(&count(replicas as u64), cells.into_iter().chain(busy).chain([micros(seen.median)]))
    });
    let columns = [
        "replicas",
        "masters",
        "locks a second",
        "bound on paper",
        "bounded by",
        "busiest replica",
        "busiest master",
        "median of an acquire",
    ];
    table(columns, rows)
}

/// What the network makes of one replica and one Redis.
fn network(costs: &Costs) -> String {
    let rows = [0.0].into_iter().chain(ROUND_TRIPS).map(|round_trip| {
        let seen = [1, 64, 1024].map(|clients| simulate(&apart(1, 1, clients, round_trip), costs, 1.0, SEED));
        let cells = seen.map(|seen| format!("{}, {}", per_second(seen.cycles_per_s), micros(seen.median)));
        row(&Unit::Micros.tick(round_trip, 1000.0), cells)
    });
    table(["round trip", "1 client: locks a second, median of an acquire", "64 clients", "1,024 clients"], rows)
}

/// Handovers of one lock, measured here, and with a network.
fn hot(results: &Results) -> String {
    let rows =
        [(0, "1 replica", 2.0), (2, "2 replicas, the next waiter at the other", 3.0)].map(|(place, name, trips)| {
            let cell = Cell { workload: measure::HOT.0, contestant: measure::ALL[place].name, at: measure::HOT.1 };
            let Some(seen) = results.figure(cell, "cycles_per_s") else { return row(name, ["not measured".into()]) };
            let beyond = ROUND_TRIPS.map(|trip| per_second(1e6 / (1e6 / seen.median + trips * trip)));
            row(name, [format!("{trips}"), Unit::Count.spread(seen)].into_iter().chain(beyond))
        });
    table(
        ["one lock, 32 clients", "round trips", "handovers a second, measured here", "0.1 ms", "0.5 ms", "1 ms"],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use crate::results::{Figures, Sample};

    use super::*;

    /// Samples that Gorilla would give if it did what the simulation says, times a factor where nothing is fitted.
    fn results(costs: &Costs, factor: f64) -> Results {
        let mut results = Results::default();
        for measured in &measure::ALL {
            for &at in measured.clients {
                let seen = simulate(&measured.setup(at, 2), costs, 1.0, SEED + 1);
                let commands = 1.0 / seen.batch;
                let cpu = |Cost { each, command, wake }, wakes| each + command * commands + wake * wakes;
                let [replica, redis] = seen.wakes;
                let factor = if measured.is_fitted { 1.0 } else { factor };
                let figures = [
                    ("cycles_per_s", seen.cycles_per_s * factor),
                    ("commands", commands),
                    ("replica_wakes", replica),
                    ("redis_wakes", redis),
                    ("load_wakes", replica),
                    ("replica_cpu_us", cpu(costs.replica, replica)),
                    ("redis_cpu_us", cpu(costs.redis, redis)),
                    ("load_cpu_us", costs.load.each + costs.load.wake * replica),
                ];
                let figures: Figures = figures.map(|(name, value)| (name.into(), value)).into();
                let (workload, contestant) = (OWN.into(), measured.name.into());
                results.samples.push(Sample { workload, contestant, at, round: 1, figures });
            }
        }
        results
    }

    #[test]
    fn a_prediction_that_is_off_by_more_than_a_fifth_is_called_outside() {
        let costs = crate::scale::tests::COSTS;
        let near = prediction(&results(&costs, 1.1), 2);
        assert!(near.contains("12 are within 20 %") && !near.contains("outside"), "{near}");
        let far = prediction(&results(&costs, 0.7), 2);
        assert_eq!(far.matches("**outside**").count(), 12, "{far}");
        assert!(far.contains("0 are within 20 %") && far.contains("fitted, within 20 %"), "{far}");
    }

    #[test]
    fn the_published_page_has_all_sections() {
        let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/internals/scale.md");
        let page = tempfile::NamedTempFile::new().expect("a file");
        fs::copy(published, page.path()).expect("the page");
        let mut results = results(&crate::scale::tests::COSTS, 1.0);
        results.circumstances.insert("cores".into(), "2".into());
        write(&results, page.path()).expect("it is written");
        let written = fs::read_to_string(page.path()).expect("the page");
        assert!(written.contains("| 1,000,000 |") && !written.contains("There is no section"), "{written}");
    }
}
