//! Makes load with many clients on one thread, which does little beside sending requests and noting times.

use std::{cell::RefCell, os::fd::AsFd, rc::Rc, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use nix::sys::{
    timerfd::ClockId, timerfd::Expiration, timerfd::TimerFd, timerfd::TimerFlags, timerfd::TimerSetTimeFlags,
};
use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver, sync::Mutex, task::JoinSet};

use crate::{results::Figures, results::figures, task::Task, workload::Step};

/// One of many clients. An error of a client ends the whole load.
pub trait Client: 'static {
    /// Does a step with the lock of the client. Returns how many requests that took.
    async fn step(&mut self, step: Step) -> Result<u64>;
}

/// Returns the processor time that clients, server and Redis have used so far, in seconds.
pub type Used<'a> = &'a dyn Fn() -> Result<[Option<f64>; 3]>;

/// Runs a future to its end on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// Lets the clients do their task, all on this thread. `connect` gets the number of the client.
pub fn run<C: Client>(task: &Task, connect: impl AsyncFn(usize) -> Result<C>, used: Used) -> Result<Figures> {
    block_on(async {
        let clock = Rc::new(Clock::new(task.rate)?);
        let (phase, latency, longest) = (Phase::WarmUp, histogram(), Duration::ZERO);
        let seen = Rc::new(RefCell::new(Seen { phase, cycles: 0, requests: 0, latency, longest }));
        let mut loops = JoinSet::new();
        for number in 0..task.clients {
            loops.spawn_local(cycles(connect(number).await?, *task, Rc::clone(&clock), Rc::clone(&seen)));
        }
        alive(&mut loops, task.warm_up).await?;
        let (before, begun) = (used()?, Instant::now());
        seen.borrow_mut().phase = Phase::Measured;
        alive(&mut loops, task.measured).await?;
        let (elapsed, after) = (begun.elapsed().as_secs_f64(), used()?);
        seen.borrow_mut().phase = Phase::Over;
        let ended = tokio::time::timeout(Duration::from_secs(60), loops.join_all()).await;
        ended.context("cycles did not end within a minute")?.into_iter().collect::<Result<Vec<_>>>()?;
        let used = [0, 1, 2].map(|of| Some(after[of]? - before[of]?));
        seen.borrow().figures(task, elapsed, used)
    })
}

/// Waits for some time, or fails with the first client that fails.
async fn alive(loops: &mut JoinSet<Result<()>>, seconds: f64) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => Ok(()),
        // No client ends before the phase is over, unless it fails.
        Some(ended) = loops.join_next() => ended?,
    }
}

async fn cycles<C: Client>(mut client: C, task: Task, clock: Rc<Clock>, seen: Rc<RefCell<Seen>>) -> Result<()> {
    for &step in &task.workload.opening {
        client.step(step).await?;
    }
    loop {
        let due = clock.due().await?;
        if seen.borrow().phase == Phase::Over {
            return Ok(());
        }
        for (number, &step) in task.workload.cycle.iter().enumerate() {
            let requests = client.step(step).await?;
            let mut seen = seen.borrow_mut();
            if number == 0 && seen.phase != Phase::WarmUp {
                let latency = due.elapsed();
                seen.longest = seen.longest.max(latency);
                if seen.phase == Phase::Measured {
                    seen.latency.saturating_record(latency.as_nanos() as u64);
                }
            }
            if seen.phase == Phase::Measured {
                seen.requests += requests;
                seen.cycles += u64::from(number + 1 == task.workload.cycle.len());
            }
        }
    }
}

#[derive(PartialEq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

/// What all clients have seen.
struct Seen {
    phase: Phase,
    cycles: u64,
    requests: u64,
    latency: Histogram<u64>,
    /// Includes requests that began in the measured time and ended after it. If clients poll for a lock, most grants go
    /// to the client that has just released it, and only this figure shows how long the other clients wait.
    longest: Duration,
}

impl Seen {
    fn figures(&self, task: &Task, elapsed: f64, [clients, server, redis]: [Option<f64>; 3]) -> Result<Figures> {
        ensure!(self.cycles > 0, "not one cycle ended in the measured time");
        let each = |used: f64| used * 1e6 / self.requests as f64;
        let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percent| Some(percentile_us(&self.latency, percent)));
        Ok(figures([
            ("offered_per_s", task.rate),
            ("cycles_per_core_s", server.map(|server| self.cycles as f64 / (server + redis.unwrap_or_default()))),
            ("cycles_per_s", Some(self.cycles as f64 / elapsed)),
            ("requests_per_s", task.workload.variant.as_ref().map(|_| self.requests as f64 / elapsed)),
            ("mean_us", task.workload.one_lock.then(|| self.latency.mean() / 1000.0)),
            ("p50_us", p50),
            ("p99_us", p99),
            ("p999_us", p999),
            ("longest_us", task.workload.one_lock.then_some(self.longest.as_secs_f64() * 1e6)),
            ("load_cpu_us", clients.map(each)),
            ("load_busy_percent", clients.map(|used| used / elapsed * 100.0)),
            ("replica_cpu_us", server.map(each)),
            ("redis_cpu_us", redis.map(each)),
        ]))
    }
}

/// Room for latencies in nanoseconds: three digits, up to a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are allowed")
}

/// A percentile in microseconds.
pub fn percentile_us(latency: &Histogram<u64>, percent: f64) -> f64 {
    latency.value_at_percentile(percent) as f64 / 1000.0
}

/// Tells when cycles are due.
struct Clock {
    every: Duration,
    /// The timer, and when the next cycle is due. If there is none, cycles are due at once. The timers of tokio are
    /// only exact to a millisecond. Idle clients queue for the mutex, so the client that has been idle longest goes
    /// first.
    next: Option<Mutex<(TimerFd, Receiver, Instant)>>,
}

impl Clock {
    fn new(rate: Option<f64>) -> Result<Self> {
        let Some(rate) = rate else { return Ok(Self { every: Duration::ZERO, next: None }) };
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        // A timer that has rung gives eight bytes to its reader, like a pipe.
        let rung = Receiver::from_owned_fd_unchecked(timer.as_fd().try_clone_to_owned()?)?;
        let next = (timer, rung, Instant::now());
        Ok(Self { every: Duration::from_secs_f64(1.0 / rate), next: Some(Mutex::new(next)) })
    }

    /// Waits until the next cycle is due. Returns when it was due, which is long ago if all clients were busy. The
    /// latency counts from then, so that it also shows how long a server that stalls kept requests from being sent.
    async fn due(&self) -> Result<Instant> {
        let Some(next) = &self.next else { return Ok(Instant::now()) };
        let (timer, rung, due) = &mut *next.lock().await;
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            timer.set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())?;
            rung.read_u64().await?;
        }
        *due += self.every;
        Ok(*due - self.every)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    /// Each step takes a millisecond.
    struct Sleeper(bool);

    impl Client for Sleeper {
        async fn step(&mut self, _: Step) -> Result<u64> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.0 { Ok(1) } else { bail!("broken") }
        }
    }

    fn seen(rate: Option<f64>, works: bool) -> Result<Figures> {
        let workload = crate::workload::named("own-locks")?;
        let task = Task { workload, clients: 4, warm_up: 0.1, measured: 0.5, rate };
        run(&task, async |_| Ok(Sleeper(works)), &|| Ok([Some(0.0), None, None]))
    }

    #[test]
    fn cycles_are_as_many_as_are_due_where_there_is_time_for_them() {
        let seen = seen(Some(100.0), true).expect("cycles");
        assert!((70.0..130.0).contains(&seen["cycles_per_s"]), "{seen:?}");
    }

    #[test]
    fn a_latency_counts_from_when_its_cycle_was_due() {
        // Four clients that take 2 ms and more a cycle do not get through a tenth of this.
        let late = seen(Some(100_000.0), true).expect("cycles");
        assert!(late["p50_us"] > 50_000.0, "{late:?}");
    }

    #[test]
    fn the_first_client_that_fails_ends_the_load() {
        assert_eq!(seen(None, false).expect_err("none works").to_string(), "broken");
    }
}
