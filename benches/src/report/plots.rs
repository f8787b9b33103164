//! Which plots there are.

use std::io;

use super::{axis::Axis, bars::Bars, chart::Chart, measured::Measured, series};

/// A drawing and where it belongs.
pub struct Plot {
    /// The name of its file.
    pub file: &'static str,
    /// Under which workload it is shown.
    pub workload: &'static str,
    /// What it shows, for who can't see it.
    pub alt: &'static str,
    /// Takes from what was measured what it shows.
    pub draw: fn(&Measured) -> Drawing,
}

/// Either kind of plot.
pub enum Drawing {
    /// Something over something.
    Lines(Chart),
    /// Something for each contestant.
    Parts(Bars),
}

/// In the order in which they are shown under their workloads.
pub const PLOTS: [Plot; 7] = [
    Plot {
        file: "throughput.svg",
        workload: "own-locks",
        alt: "Acquires and releases of own locks a second, over the number of clients, for each contestant",
        draw: |measured| {
            let y = "acquire and release, cycles a second";
            Drawing::Lines(series::over_clients(measured, "own-locks", "Own locks: throughput", "cycles_per_s", y))
        },
    },
    Plot {
        file: "p99.svg",
        workload: "own-locks",
        alt: "99th percentile of latency under own locks, over the number of clients, for each contestant",
        draw: |measured| {
            let y = "99th percentile of a request's latency";
            Drawing::Lines(series::over_clients(
                measured,
                "own-locks",
                "Own locks: latency under full load",
                "p99_us",
                y,
            ))
        },
    },
    Plot {
        file: "cpu.svg",
        workload: "own-locks",
        alt: "Processor time of the server and of Redis for each request of own locks, for each contestant",
        draw: |measured| Drawing::Parts(series::processor_time(measured, "own-locks", 64)),
    },
    Plot {
        file: "paced-latency.svg",
        workload: "own-locks-paced",
        alt: "Percentiles of latency at a fixed rate, for each contestant",
        draw: |measured| Drawing::Lines(series::percentiles(measured, "own-locks-paced", 64)),
    },
    Plot {
        file: "held-locks.svg",
        workload: "held-locks",
        alt: "Median and 99th percentile of an acquire's latency, over the number of held locks",
        draw: |measured| {
            let lines = [("held-locks", "p50_us", "median"), ("held-locks", "p99_us", "99th percentile")];
            let y = (Axis::linear as _, "latency of an acquire");
            Drawing::Lines(series::of_gorilla(measured, "Acquire, while other locks are held", &lines, y))
        },
    },
    Plot {
        file: "handover.svg",
        workload: "waiters",
        alt: "Median and 99th percentile of a handover's latency, over the number of waiters",
        draw: |measured| {
            let lines = [
                ("waiters", "p50_us", "one lock, median"),
                ("waiters", "p99_us", "one lock, p99"),
                ("waiters-own-locks", "p50_us", "own locks, median"),
                ("waiters-own-locks", "p99_us", "own locks, p99"),
            ];
            let y = (Axis::logarithmic as _, "latency of a handover");
            Drawing::Lines(series::of_gorilla(measured, "Handover, while others wait", &lines, y))
        },
    },
    Plot {
        file: "waiter-memory.svg",
        workload: "waiters",
        alt: "Memory of the replica for each waiter, over the number of waiters",
        draw: |measured| {
            let lines =
                [("waiters", "bytes_per_waiter", "one lock"), ("waiters-own-locks", "bytes_per_waiter", "own locks")];
            let y = (Axis::linear as _, "resident memory of the replica, for each waiter");
            Drawing::Lines(series::of_gorilla(measured, "What a waiter costs", &lines, y))
        },
    },
];

impl Drawing {
    /// The whole SVG document, unless there is nothing to show.
    pub fn svg(&self) -> io::Result<Option<String>> {
        match self {
            Self::Lines(chart) if chart.lines.is_empty() => Ok(None),
            Self::Parts(bars) if bars.rows.is_empty() => Ok(None),
            Self::Lines(chart) => chart.svg().map(Some),
            Self::Parts(bars) => bars.svg().map(Some),
        }
    }
}
