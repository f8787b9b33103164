//! Figures of processes, from `/proc`.

use std::{fs, time::Duration};

/// The processor time that processes have used, in the kernel and outside.
pub fn cpu(pids: &[u32]) -> Duration {
    pids.iter().map(|&pid| cpu_of(pid)).sum()
}

fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let fields: Vec<u64> = stat
        .rsplit(") ")
        .next()
        .map(|rest| rest.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect())
        .unwrap_or_default();
    // A tick is 10 ms on every Linux of today.
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}

/// The resident memory of a process in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.expect("a process has resident memory") * 1024
}
