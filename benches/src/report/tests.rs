//! The report as a whole, of a small fixture.

use super::*;
use crate::report::fixture::Fixture;

/// A contestant is missing, an aim is unmet, a figure is spread widely, and a workload has no name in `words.rs`.
fn small() -> Results {
    let mut fixture = Fixture::default();
    fixture.contestant("gorilla", None);
    fixture.contestant("webdis", None);
    fixture.contestant("etcd", Some("no package\n| has it"));
    fixture.results.circumstances.insert("machine".into(), "2 cores | small".into());
    for at in [1, 64] {
        fixture.rounds("own-locks", "gorilla", at, "cycles_per_s", &[(1, 900.0), (2, 6_000.0), (3, 1_200.0)]);
        fixture.steady("own-locks", "gorilla", at, &[("p99_us", 1_500.0), ("replica_cpu_us", 40.0)]);
        fixture.steady("own-locks", "webdis", at, &[("cycles_per_s", 1_000.0), ("p99_us", 2_500.0)]);
    }
    fixture.steady("held-locks", "gorilla", 0, &[("p50_us", 100.0)]);
    fixture.steady(
        "held-locks",
        "gorilla",
        1_000_000,
        &[("p50_us", 130.0), ("redis_bytes_per_lock_without_fence", 300.0)],
    );
    fixture.steady("weather", "gorilla", 3, &[("rain", 1.0)]);
    fixture.results
}

/// The names and contents of everything in the folder.
fn contents(docs: &Path) -> Vec<(String, String)> {
    let mut files = vec![(DOCUMENT.to_owned(), fs::read_to_string(docs.join(DOCUMENT)).expect("the document"))];
    for entry in fs::read_dir(docs.join(PLOTS)).expect("the folder of the plots") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        files.push((name, fs::read_to_string(path).expect("a plot")));
    }
    files.sort();
    files
}

fn document(docs: &Path) -> String {
    fs::read_to_string(docs.join(DOCUMENT)).expect("the document")
}

#[test]
fn the_same_results_make_the_same_report_to_the_byte() {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    write(&small(), first.path()).expect("it is written");
    write(&small(), second.path()).expect("it is written");
    assert_eq!(contents(first.path()), contents(second.path()));
    // Over itself.
    let before = contents(first.path());
    write(&small(), first.path()).expect("it is written");
    assert_eq!(contents(first.path()), before);
}

#[test]
fn the_report_has_what_is_missing_what_is_unmet_and_how_far_rounds_lie_apart() {
    let docs = tempfile::tempdir().expect("a folder");
    write(&small(), docs.path()).expect("it is written");
    let document = document(docs.path());
    for line in [
        "| machine | 2 cores \\| small |",
        "| etcd | etcd 1.0<br>**Missing**: no package \\| has it |",
        "| the same against etcd's HTTP lock, each client with a lease that it keeps | ≥ 8× | – | **not measured**: etcd is missing, no package \\| has it |",
        "| median of an acquire with 1,000,000 locks held, against none held | ≤ 1.1× | 1.300× | **not met** in any of 3 rounds |",
        "| **gorilla** | 1,200 (900–6,000) | 1,200 (900–6,000) |",
        "| webdis | 1,010 (1,000–1,020)<br>1.18× (0.900–5.94) | 1,010 (1,000–1,020)<br>1.18× (0.900–5.94) |",
        "## weather",
        "| rain | 1.01 (1.00–1.02) |",
        "Everything was measured in 3 rounds.",
    ] {
        assert!(document.contains(line), "no {line} in:\n{document}");
    }
}

#[test]
fn every_plot_of_the_document_is_there_and_a_plot_without_figures_is_not() {
    let docs = tempfile::tempdir().expect("a folder");
    fs::create_dir(docs.path().join(PLOTS)).expect("a folder");
    for earlier in ["handover.svg", "flamegraph.svg"] {
        fs::write(docs.path().join(PLOTS).join(earlier), "<svg/>").expect("a file");
    }
    write(&small(), docs.path()).expect("it is written");
    let files: Vec<String> = contents(docs.path()).into_iter().map(|(name, _)| name).collect();
    // What is not the report's is left alone.
    assert_eq!(files, [DOCUMENT, "cpu.svg", "flamegraph.svg", "held-locks.svg", "p99.svg", "throughput.svg"]);
    let document = document(docs.path());
    let shown: Vec<&str> = document.split("](benchmarks/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert_eq!(shown, ["throughput.svg", "p99.svg", "cpu.svg", "held-locks.svg"]);
}

#[test]
fn a_plot_names_its_lines_and_what_it_measures() {
    let docs = tempfile::tempdir().expect("a folder");
    write(&small(), docs.path()).expect("it is written");
    let plot = fs::read_to_string(docs.path().join(PLOTS).join("p99.svg")).expect("the plot");
    for words in ["gorilla", "webdis", "clients (logarithmic)", "99th percentile", "2 ms"] {
        assert!(plot.contains(words), "no {words} in {plot}");
    }
    assert!(!plot.contains("etcd"), "{plot}");
}

#[test]
fn what_people_wrote_is_kept_while_figures_change() {
    let docs = tempfile::tempdir().expect("a folder");
    write(&small(), docs.path()).expect("it is written");
    let tried =
        document(docs.path()).replace("Nothing is written down yet.\n", "SO_REUSEPORT: 2 % slower.\n\n### Why\n");
    fs::write(docs.path().join(DOCUMENT), tried.replace("-->\n<!-- end", "-->\nRead the aims first.\n<!-- end"))
        .expect("written");
    let mut results = small();
    results.samples.retain(|sample| sample.workload != "weather");
    write(&results, docs.path()).expect("it is written");
    let after = document(docs.path());
    assert!(after.contains(
        "## What was tried\n\n<!-- hand-written: what was tried -->\nSO_REUSEPORT: 2 % slower.\n\n### Why\n<!-- end"
    ));
    assert!(after.contains("<!-- hand-written: top -->\nRead the aims first.\n<!-- end"));
    assert!(!after.contains("weather"));
}

#[test]
fn a_document_whose_hand_written_part_can_not_be_found_is_left_as_it_is() {
    let docs = tempfile::tempdir().expect("a folder");
    let broken = "<!-- hand-written: what was tried -->\nMonths of work.\n";
    fs::write(docs.path().join(DOCUMENT), broken).expect("written");
    let error = write(&small(), docs.path()).expect_err("it is refused");
    assert!(error.to_string().contains("what was tried"), "{error}");
    assert_eq!(document(docs.path()), broken);
}

#[test]
fn no_results_make_a_report_without_figures() {
    let docs = tempfile::tempdir().expect("a folder");
    write(&Results::default(), docs.path()).expect("it is written");
    assert!(document(docs.path()).contains("Nothing was measured."));
}
