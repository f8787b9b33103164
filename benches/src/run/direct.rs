//! The turns of clients that need no HTTP.

use gorilla_harness::Redis;

use super::{Bench, Figures};
use crate::{
    direct::{self, Direct, Measured},
    workload::OWN_LOCKS,
};

/// More would be more processes' worth of threads than a library is made for.
const MOST_CLIENTS: usize = 256;

/// Those that can run, and a Redis for them.
pub struct Clients {
    redis: Redis,
    clients: Vec<Box<dyn Direct>>,
}

impl Clients {
    /// Lists all that are wanted, with what they do or why they can't.
    pub fn prepare(bench: &mut Bench) -> Self {
        let mut clients = Vec::new();
        for mut client in direct::all() {
            if !bench.options.wants_of(client.name()) {
                continue;
            }
            match client.prepare() {
                Ok(what) => {
                    bench.list(client.name(), what, None);
                    clients.push(client);
                }
                Err(why) => bench.list(client.name(), String::new(), Some(why)),
            }
        }
        Self { redis: Redis::start(&[]), clients }
    }

    /// One turn of each.
    pub fn turn(&self, bench: &mut Bench, workload: &str, clients: usize, round: u32) {
        if clients > MOST_CLIENTS {
            return;
        }
        let (warm_up, measured) = (bench.options.warm_up(), bench.options.measured());
        for client in &self.clients {
            let seen = match workload == OWN_LOCKS.name {
                true => Some(client.own_locks(self.redis.port, clients, warm_up, measured)),
                false => client.one_lock(self.redis.port, clients, warm_up, measured),
            };
            if let Some(seen) = seen {
                bench.keep(workload, client.name(), clients as u64, round, seen.map(|seen| figures(&seen)));
            }
        }
    }
}

fn figures(seen: &Measured) -> Figures {
    // A cycle is two requests.
    let each = |used: std::time::Duration| used.as_secs_f64() * 1e6 / (2.0 * seen.cycles as f64);
    let mut figures = Figures::from([
        ("cycles_per_s".into(), seen.cycles as f64 / seen.elapsed.as_secs_f64()),
        ("p50_us".into(), seen.p50.as_secs_f64() * 1e6),
        ("p99_us".into(), seen.p99.as_secs_f64() * 1e6),
        ("longest_us".into(), seen.longest.as_secs_f64() * 1e6),
        ("load_cpu_us".into(), each(seen.client_cpu)),
        ("load_busy_percent".into(), seen.client_cpu.as_secs_f64() / seen.elapsed.as_secs_f64() * 100.0),
    ]);
    if let Some(used) = seen.server_cpu {
        figures.insert("replica_cpu_us".into(), each(used));
    }
    figures
}
