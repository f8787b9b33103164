//! Load over many connections from one thread: an epoll loop that does nothing but write requests, read answers and note
//! times, so that what it costs is small beside what it measures.

mod connection;
mod framing;
mod pace;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
    time::{ClockId, clock_gettime},
};

use connection::Connection;
pub use framing::{Answer, Framing};
pub use pace::Pace;
use pace::Schedule;

/// What a connection says. A cycle is a request, and those that follow from its answer.
pub trait Dialogue {
    /// Appends the request that a cycle begins with.
    fn begin(&mut self, request: &mut Vec<u8>);

    /// Takes an answer, and appends the next request of the cycle or, if it is over, nothing. Tells whether what was wanted
    /// is done; with some servers it takes more than one request. What should not have been answered is an error, which ends
    /// the whole load: a figure of refused requests would mean nothing.
    fn go_on(&mut self, answer: &Answer, request: &mut Vec<u8>) -> Result<bool, String>;
}

/// How to load.
pub struct Plan {
    /// Whom. Connections are shared out evenly.
    pub addresses: Vec<SocketAddr>,
    /// How answers end.
    pub framing: Framing,
    /// When cycles begin.
    pub pace: Pace,
    /// Before anything is counted.
    pub warm_up: Duration,
    /// For how long it is counted.
    pub measured: Duration,
}

/// What a load saw.
pub struct Seen {
    /// Cycles that ended.
    pub cycles: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// For how long was counted.
    pub elapsed: Duration,
    /// Nanoseconds until the first thing wanted of each cycle is done: from its sending or, where it was due at a time, from
    /// that time, so that a server that stalls is charged for all that it kept from being sent.
    pub latency: Histogram<u64>,
    /// Processor time of this thread.
    pub cpu: Duration,
}

impl Seen {
    /// A percentile of the latency in microseconds.
    pub fn percentile_us(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1000.0
    }
}

/// Room for latencies in nanoseconds: three digits, up to a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are allowed")
}

/// Runs one dialogue on each connection. `counted` is called when counting begins and when it ends.
pub fn run(plan: &Plan, dialogues: Vec<Box<dyn Dialogue>>, mut counted: impl FnMut()) -> Result<Seen, String> {
    let mut crowd = Crowd::connect(plan, dialogues).map_err(|error| format!("no connection: {error}"))?;
    let begun = Instant::now();
    let mut schedule = Schedule::new(plan.pace, crowd.connections.len(), begun);
    crowd.until(&mut schedule, begun + plan.warm_up)?;
    (crowd.cycles, crowd.requests) = (0, 0);
    crowd.latency.reset();
    let (from, cpu) = (Instant::now(), thread_cpu());
    counted();
    crowd.until(&mut schedule, from + plan.measured)?;
    let (elapsed, cpu) = (from.elapsed(), thread_cpu() - cpu);
    counted();
    crowd.finish(&mut schedule)?;
    let Crowd { cycles, requests, latency, .. } = crowd;
    Ok(Seen { cycles, requests, elapsed, latency, cpu })
}

/// All connections, and what was counted.
struct Crowd {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    events: Vec<epoll::Event>,
    cycles: u64,
    requests: u64,
    latency: Histogram<u64>,
}

impl Crowd {
    fn connect(plan: &Plan, dialogues: Vec<Box<dyn Dialogue>>) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for (index, dialogue) in dialogues.into_iter().enumerate() {
            let address = plan.addresses[index % plan.addresses.len()];
            let connection = Connection::open(address, plan.framing, dialogue)?;
            epoll::add(&epoll, &connection, epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
            connections.push(connection);
        }
        let latency = histogram();
        let events = Vec::with_capacity(connections.len());
        Ok(Self { epoll, connections, events, cycles: 0, requests: 0, latency })
    }

    /// Goes on until then.
    fn until(&mut self, schedule: &mut Schedule, end: Instant) -> Result<(), String> {
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            while let Some((index, due)) = schedule.next_due(now) {
                self.connections[index].begin(due)?;
            }
            self.listen(schedule, schedule.next_at().map_or(end, |at| at.min(end)))?;
        }
    }

    /// Ends the cycles that have begun, so that nothing is left behind.
    fn finish(&mut self, schedule: &mut Schedule) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(10);
        while self.connections.iter().any(|connection| !connection.is_idle()) {
            if Instant::now() > end {
                return Err("cycles that had begun did not end within 10 s".into());
            }
            self.listen(schedule, end)?;
        }
        Ok(())
    }

    /// Waits for answers until then at most, and takes those that came.
    fn listen(&mut self, schedule: &mut Schedule, until: Instant) -> Result<(), String> {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        self.events.clear();
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout))
            .map_err(|error| format!("epoll: {error}"))?;
        for event in &self.events {
            let index = event.data.u64() as usize;
            let connection = &mut self.connections[index];
            let Some(step) = connection.receive()? else { continue };
            self.requests += 1;
            if let Some(latency) = step.first {
                self.latency.saturating_record(latency.as_nanos() as u64);
            }
            if step.is_last {
                self.cycles += 1;
                schedule.idle(index);
            }
        }
        Ok(())
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
