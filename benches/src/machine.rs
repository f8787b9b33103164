//! The machine: what the figures depend on beside the contestants, and how much of the machine processes use.

use std::{collections::BTreeMap, fs, process::Command, time::Duration};

use anyhow::{Context, Result};
use gorilla_harness::Redis;
use nix::time::{ClockId, clock_gettime};

use crate::report::file::told;

/// What the figures depend on, by name. The value is `unknown` if the command for it fails.
pub fn circumstances() -> BTreeMap<String, String> {
    let command = |command: &str| command.replace("{redis}", Redis::program());
    let tell = |text| said("sh", &["-c", &command(text)]).unwrap_or_else(|| "unknown".into());
    told().circumstances.iter().map(|[name, command]| (name.clone(), tell(command))).collect()
}

/// What a program prints, if there is such a program, and it succeeds and prints something.
pub fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string()).filter(|text| !text.is_empty())
}

/// The seconds of processor time that other processes have used, inside and outside of the kernel.
pub fn cpu_of(pids: &[u32]) -> Result<f64> {
    let seconds = pids.iter().map(|&pid| {
        let stat = about(pid, "stat")?;
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        // A tick is 10 ms on each Linux of today.
        Ok(ticks as f64 / 100.0)
    });
    seconds.sum()
}

/// For how many nanoseconds the first thread of a process has run, and all its threads, inside and outside of the kernel.
pub fn ran(pid: u32) -> Result<[u64; 2]> {
    let mut sums = [0; 2];
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?;
        // A thread may have ended since.
        let stat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let ran = stat.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or_default();
        sums[0] += if thread.file_name().to_str() == Some(&pid.to_string()) { ran } else { 0 };
        sums[1] += ran;
    }
    Ok(sums)
}

/// The seconds of processor time that this thread has used.
pub fn cpu_of_thread() -> Result<f64> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?).as_secs_f64())
}

/// The seconds of processor time that all processes have used, and that the host has kept from this machine.
pub fn cpu_of_all() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.filter_map(|ticks| ticks.parse().ok()).collect();
    // User, nice, system, interrupts of both kinds, and steal: all but idle.
    Ok([0, 1, 2, 5, 6, 7].into_iter().filter_map(|place| ticks.get(place)).sum::<f64>() / 100.0)
}

/// How often the busiest thread of a process has slept so far, and was woken again.
pub fn wakes_of(pid: u32) -> Result<f64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?.map(|task| Ok(task?.path().join("status")));
    let wakes = tasks.map(|status: Result<_>| {
        // A thread that has just ended has no file.
        let status = fs::read_to_string(status?).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Ok(line.and_then(|wakes| wakes.trim().parse::<f64>().ok()).unwrap_or_default())
    });
    wakes.collect::<Result<Vec<_>>>().map(|wakes| wakes.into_iter().fold(0.0, f64::max))
}

/// The resident memory of a process in bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let status = about(pid, "status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib * 1024).with_context(|| format!("process {pid} has no resident memory"))
}

fn about(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).context(path)
}
