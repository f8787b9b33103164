//! What figures depend on beside the contestants.

use std::{collections::BTreeMap, fs, process::Command};

/// Each with its name; what can't be found out is said so.
pub fn gather() -> BTreeMap<String, String> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, model)| model));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let gib = memory.div_ceil(1024 * 1024);
    let folder = std::env::temp_dir();
    let files = said("stat", &["-f", "-c", "%T", &folder.to_string_lossy()]);
    [
        ("date", said("date", &["+%Y-%m-%d"])),
        ("commit", said("git", &["describe", "--always", "--dirty"])),
        ("machine", format!("{}, {cores} cores, {gib} GiB", model.unwrap_or("unknown processor"))),
        ("kernel", said("uname", &["-sr"])),
        ("rustc", said("rustc", &["--version"])),
        ("redis", said(gorilla_harness::Redis::program(), &["--version"])),
        ("data", format!("append-only file with appendfsync always, on {files}")),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into()
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text = output
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".into())
}
