//! Tests the whole report: the results in benches/tests/report must give the tables there.

use super::*;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report");

/// Writes the report into a folder with this document.
fn report(document: &str, results: &Results) -> (tempfile::TempDir, Result<()>) {
    let docs = tempfile::tempdir().expect("a folder");
    fs::create_dir(docs.path().join(PLOTS)).expect("a folder");
    for earlier in ["held-locks.svg", "flamegraph.svg"] {
        fs::write(docs.path().join(PLOTS).join(earlier), "<svg/>").expect("a file");
    }
    fs::write(docs.path().join(DOCUMENT), document).expect("a file");
    let instructions = [("acquire", 70_000), ("release", 50_001)].map(|(kind, count)| (kind.into(), count));
    let written = write(results, &instructions.into(), docs.path());
    (docs, written)
}

/// In these results a contestant is missing and another one busy, aims are met and not met, and some rounds lack a
/// side.
fn results() -> Results {
    Results::load(&Path::new(DATA).join("results.json")).expect("results")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

#[test]
fn tables_and_plots_are_those_of_the_results_and_what_people_made_stays() {
    let expected = read(&Path::new(DATA).join("expected.md"));
    let emptied = document::filled(&expected, |_| String::new()).expect("it is whole");
    let (docs, written) = report(&emptied, &results());
    written.expect("it is written");
    assert_eq!(read(&docs.path().join(DOCUMENT)), expected);
    let files = fs::read_dir(docs.path().join(PLOTS)).expect("a folder");
    let files = files.map(|file| file.expect("a file").file_name()).sorted().collect_vec();
    assert_eq!(files, ["cpu.svg", "flamegraph.svg", "p99.svg", "paced-latency.svg", "throughput.svg"]);
    let plot = read(&docs.path().join(PLOTS).join("p99.svg"));
    for words in ["gorilla", "webdis", "\nclients\n", "99th percentile", "5 ms"] {
        assert!(plot.contains(words) && !plot.contains("etcd"), "no {words} in {plot}");
    }
}

#[test]
fn a_document_without_a_section_or_with_one_that_does_not_end_stays_as_it_is() {
    let whole = read(&Path::new(DATA).join("expected.md"));
    for (document, why) in [
        (whole.replace("<!-- measured: reads", "<!-- measured: weather"), "no section for reads"),
        (whole.replacen("<!-- end of measured -->\n", "", 1), "`rounds` is not closed"),
        ("<!-- measured: aims -->\nMonths of work.".into(), "`aims` is not closed"),
        ("<!-- measured: aims".into(), "no end"),
    ] {
        let (docs, written) = report(&document, &results());
        assert!(written.expect_err("it is refused").to_string().contains(why), "{why}");
        assert_eq!(read(&docs.path().join(DOCUMENT)), document);
    }
}

#[test]
fn the_published_document_has_a_section_for_each_workload() {
    let document = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/BENCHMARKS.md")));
    let others = [
        "rounds",
        "costs",
        "clients",
        "aims",
        "machine",
        "contestants",
        "held-locks",
        "waiters",
        "waiters-own-locks",
        "replicas",
    ];
    for section in crate::workload::all().iter().map(|workload| &*workload.name).chain(others) {
        assert!(document.contains(&document::opening(section)), "{section}");
    }
}
