//! The report as one document.

use super::{
    aims,
    handwritten::{HandWritten, TOP, TRIED},
    measured::Measured,
    plots::Plot,
    tables, words,
};

/// The folder of the plots, beside the document.
pub const PLOTS: &str = "benchmarks";

/// Of a line of prose, in characters.
const WIDTH: usize = 140;

/// What a circumstance is called, in the order of the table; others follow by their own name.
const CIRCUMSTANCES: [&str; 7] = ["machine", "kernel", "file system", "redis", "rustc", "commit", "date"];

/// The whole document in Markdown.
pub fn markdown(measured: &Measured, plots: &[&Plot], hand_written: &HandWritten) -> String {
    let mut text = String::from(
        "# Benchmarks\n\n\
         <!-- `make bench` writes this file and keeps what stands between the markers of hand-written sections. -->\n\n",
    );
    text += &hand_written.section(TOP, "");
    text += &format!("\n## What is compared, and how\n\n{}", how(measured));
    text += &format!("\n## Aims\n\n{AIMS}\n\n{}", aims::table(measured));
    text += &format!("\n## Machine and versions\n\n{}", circumstances(measured));
    text += &format!("\n## Contestants\n\n{}", contestants(measured));
    for workload in workloads(measured) {
        text += &section(measured, workload, plots);
    }
    text += "\n## What was tried\n\n";
    text += &hand_written.section(TRIED, "Nothing is written down yet.\n");
    text + REPEAT
}

const AIMS: &str = "\
Computed from the samples. A ratio is Gorilla's figure divided by the other's in the same round; what is shown is the median of the rounds,
and in brackets the smallest and the largest.";

const REPEAT: &str = "
## Repeat it

```console
$ make bench
```

builds everything, measures and writes this file. The samples are kept in `target/bench/results.json`;

```console
$ cargo run --release -p gorilla-bench -- report
```

writes the file and its plots from them again.
";

fn how(measured: &Measured) -> String {
    let rounds = match measured.rounds() {
        None => "Nothing was measured.".into(),
        Some((fewest, most)) if fewest == most => format!("Everything was measured in {most} rounds."),
        Some((fewest, most)) => format!("Everything was measured in {fewest} to {most} rounds."),
    };
    let paragraphs = [
        format!(
            "Ways to take a lock, each under the same load: Gorilla, other lock services, clients that run their scripts on Redis \
             themselves, and what is no lock service but marks a floor or a ceiling. {rounds} Within a round the contestants take \
             turns, A B C, and the next round begins with A again."
        ),
        "**Read ratios, not numbers.** The machine is a noisy one, and what else runs on it changes from minute to minute. \
         Contestants of one round meet about the same noise. So a ratio is made of two samples of the same round, and what is shown \
         is the median of the rounds' ratios, never a ratio of two medians. In brackets stand the smallest and the largest of all \
         rounds; plots have them as thin bars. If the brackets of a ratio include 1, this benchmark does not tell the two apart."
            .into(),
        "**What the figures can't say.** Load generator, server and Redis are on one machine and share its two cores, so throughput \
         is that of all three together, and there is no network between them. On machines of their own all numbers are others. The \
         processor time of a request, from `/proc`, depends least on this. Redis writes its append-only file with `appendfsync \
         always`, so an acquire also waits for the file system under the folder that the benchmark runs in; on another disk that \
         part is another. Contestants do not promise the same: who has no disk behind it, no fence and no safe retries pays for \
         none of them."
            .into(),
    ];
    paragraphs.map(|paragraph| wrap(&paragraph)).join("\n")
}

fn circumstances(measured: &Measured) -> String {
    let all = &measured.results.circumstances;
    let listed = CIRCUMSTANCES.iter().filter_map(|name| all.get_key_value(*name));
    let others = all.iter().filter(|(name, _)| !CIRCUMSTANCES.contains(&name.as_str()));
    let rows = listed.chain(others).map(|(name, value)| format!("| {} | {} |\n", in_cell(name), in_cell(value)));
    "| what | which |\n|---|---|\n".to_owned() + &rows.collect::<String>()
}

fn contestants(measured: &Measured) -> String {
    let mut text = String::from("| contestant | version, and what one cycle of it does |\n|---|---|\n");
    for contestant in &measured.results.contestants {
        let missing = contestant.missing.as_ref().map(|why| format!("<br>**Missing**: {}", in_cell(why)));
        text += &format!(
            "| {} | {}{} |\n",
            in_cell(&contestant.name),
            in_cell(&contestant.what),
            missing.unwrap_or_default()
        );
    }
    text
}

/// Those that are known in their order, then the others in that in which they were measured.
fn workloads<'a>(measured: &Measured<'a>) -> Vec<&'a str> {
    let mut names = measured.workloads();
    let place = |name: &str| words::WORKLOADS.iter().position(|known| known.name == name);
    names.sort_by_key(|name| place(name).unwrap_or(words::WORKLOADS.len()));
    names
}

fn section(measured: &Measured, workload: &str, plots: &[&Plot]) -> String {
    let known = words::workload(workload);
    let mut text = format!("\n## {}\n\n", known.map_or(workload, |known| known.title));
    if let Some(known) = known {
        text += &format!("{}\n", wrap(known.explanation));
    }
    for plot in plots.iter().filter(|plot| plot.workload == workload) {
        text += &format!("![{}]({PLOTS}/{})\n\n", plot.alt, plot.file);
    }
    text + &tables::of(measured, workload)
}

/// Breaks a paragraph into lines as the other documents have them, so that a change of a word is a change of a line.
pub fn wrap(words: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in words.split_whitespace() {
        let more = word.chars().count();
        if width > 0 && width + 1 + more > WIDTH {
            text.push('\n');
            width = 0;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += more;
    }
    text + "\n"
}

/// Keeps what was found on a machine within one cell of a table.
pub fn in_cell(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
