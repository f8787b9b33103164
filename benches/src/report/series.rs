//! Takes from what was measured what plots show.

use super::{
    axis::Axis,
    bars::{Bars, Row},
    chart::{Chart, Line},
    look::{self, Look},
    measured::{Cell, GORILLA, Measured},
    numbers::{Unit, count},
    spread::Spread,
    words,
};

/// A figure of all contestants, over the number of clients.
pub fn over_clients(measured: &Measured, workload: &str, title: &str, figure: &str, y: &str) -> Chart {
    let lines = everybody(measured, workload, |contestant| {
        let cells = measured.ats(workload).into_iter().map(|at| Cell { workload, contestant, at });
        line(measured, contestant, cells.map(|cell| (cell.at as f64, measured.figure(cell, figure))))
    });
    Chart {
        title: title.into(),
        x: sizes(measured, &[workload], "clients"),
        y: Axis::logarithmic(y.into(), &extremes(&lines), Unit::of(figure)),
        lines,
    }
}

/// All contestants at a fixed rate, over the percentiles.
pub fn percentiles(measured: &Measured, workload: &str, at: u64) -> Chart {
    let percentiles = [(50.0, "p50_us"), (99.0, "p99_us"), (99.9, "p999_us")];
    let lines = everybody(measured, workload, |contestant| {
        let cell = Cell { workload, contestant, at };
        line(
            measured,
            contestant,
            percentiles.iter().map(|(percent, figure)| (*percent, measured.figure(cell, figure))),
        )
    });
    let offered = Spread::of(lines.iter().filter_map(|line| {
        let cell = Cell { workload, contestant: &line.name, at };
        measured.figure(cell, "offered_per_s").map(|spread| spread.median)
    }));
    let rate = offered.map(|offered| format!(", {} cycles a second", Unit::Count.spread(offered))).unwrap_or_default();
    Chart {
        title: format!("Own locks at a fixed rate{rate}"),
        x: Axis::places(
            "share of requests that took no longer".into(),
            &percentiles.map(|(percent, _)| percent),
            |percent| format!("{percent} %"),
        ),
        y: Axis::logarithmic("latency since the request was due".into(), &extremes(&lines), Unit::Micros),
        lines,
    }
}

/// How an axis is made of a title and of values that it has room for.
pub type Scaled = fn(String, &[f64], Unit) -> Axis;

/// Figures of Gorilla alone, each a line with a workload, a figure and a name, over what the workloads are varied by.
pub fn of_gorilla(measured: &Measured, title: &str, figures: &[(&str, &str, &str)], y: (Scaled, &str)) -> Chart {
    let first = figures[0];
    let mut lines = Vec::new();
    for &(workload, figure, name) in figures {
        let cells = measured.ats(workload).into_iter().map(|at| Cell { workload, contestant: GORILLA, at });
        let points = cells.map(|cell| (cell.at as f64, measured.figure(cell, figure)));
        let Some(line) = line(measured, GORILLA, points) else { continue };
        let look = if workload == first.0 { line.look } else { line.look.darker() };
        let look = if figure == first.1 { look } else { look.second() };
        lines.push(Line { name: name.into(), look, ..line });
    }
    let mut workloads: Vec<&str> = figures.iter().map(|(workload, ..)| *workload).collect();
    workloads.dedup();
    let [_, varied] = words::workload(first.0).map_or(["", ""], |known| known.varied);
    Chart {
        title: title.into(),
        x: sizes(measured, &workloads, varied),
        y: y.0(y.1.into(), &extremes(&lines), Unit::of(first.1)),
        lines,
    }
}

/// What a request costs server and Redis, for each contestant.
pub fn processor_time(measured: &Measured, workload: &str, at: u64) -> Bars {
    let rows = everybody(measured, workload, |contestant| {
        let cell = Cell { workload, contestant, at };
        let parts = ["replica_cpu_us", "redis_cpu_us"].map(|figure| measured.figure(cell, figure));
        parts.iter().any(Option::is_some).then(|| {
            let words = ["server", "Redis"].into_iter().zip(parts).filter_map(|(of, part)| {
                let spread = part?;
                Some(format!("{of} {}", Unit::Micros.say(spread.median)))
            });
            let words = words.collect::<Vec<_>>().join(", ");
            Row { name: contestant.into(), look: look_of(measured, contestant), parts, words }
        })
    });
    // Either part may reach furthest in its largest round.
    let ends: Vec<f64> = rows
        .iter()
        .flat_map(|row| {
            let [server, redis] = row.parts;
            let after = server.map_or(0.0, |spread| spread.median);
            [server.map_or(0.0, |spread| spread.max), after + redis.map_or(0.0, |spread| spread.max)]
        })
        .collect();
    let below = format!("of the server (dark) and of Redis (light), {}", words::at(workload, at));
    Bars { title: "Processor time a request".into(), axis: Axis::linear(below, &ends, Unit::Micros), rows }
}

/// Something of each contestant of a workload that has it, Gorilla's first.
fn everybody<'a, T>(measured: &Measured<'a>, workload: &str, of: impl Fn(&'a str) -> Option<T>) -> Vec<T> {
    let mut names = measured.contestants(workload);
    names.sort_by_key(|name| *name != GORILLA);
    names.into_iter().filter_map(of).collect()
}

/// A line of a contestant, if it has any points.
fn line(measured: &Measured, name: &str, points: impl Iterator<Item = (f64, Option<Spread>)>) -> Option<Line> {
    let points: Vec<_> = points.filter_map(|(x, spread)| Some((x, spread?))).collect();
    (!points.is_empty()).then(|| Line { name: name.into(), look: look_of(measured, name), points })
}

fn look_of(measured: &Measured, name: &str) -> Look {
    let contestants: Vec<&str> =
        measured.results.contestants.iter().map(|contestant| contestant.name.as_str()).collect();
    look::of(name, &contestants)
}

/// An axis of what these workloads were varied by.
fn sizes(measured: &Measured, workloads: &[&str], title: &str) -> Axis {
    let mut ats: Vec<u64> = workloads.iter().flat_map(|workload| measured.ats(workload)).collect();
    ats.sort_unstable();
    ats.dedup();
    let values: Vec<f64> = ats.into_iter().map(|at| at as f64).collect();
    Axis::measured(title.into(), &values, |value| count(value as u64))
}

/// Everything that an axis has to have room for.
fn extremes(lines: &[Line]) -> Vec<f64> {
    lines.iter().flat_map(|line| &line.points).flat_map(|(_, spread)| [spread.min, spread.max]).collect()
}
