//! The formulas on paper. A part that works all the time bounds what all others can do (the utilisation law), and
//! clients that wait for each answer bound it, too (Little's law).

use super::{costs::Cost, costs::Costs, simulate::SERVED_TOGETHER, simulate::Setup};

/// An acquire and a release.
pub const REQUESTS: f64 = 2.0;

/// A part, and the most cycles a second that it lets through.
pub type Bound = (&'static str, f64);

/// The processor time for a cycle of a process that never sleeps, in microseconds. A busy replica sends what 16 requests
/// want as two commands, because acquires and releases have different scripts.
pub fn demand(cost: Cost, cluster: bool) -> f64 {
    let together = if cluster { 1.0 } else { SERVED_TOGETHER as f64 / 2.0 };
    REQUESTS * (cost.each + cost.command / together)
}

/// The time of a cycle of a client that is alone, in microseconds: each process wakes up for each request, which
/// goes to a replica, to a master and back.
pub fn alone(setup: &Setup, costs: &Costs) -> f64 {
    let Costs { load, replica, redis } = *costs;
    let load = if setup.cores.is_some() { load.each + load.wake } else { 0.0 };
    // A replica is woken twice for a request, if nothing else wakes it: for the request and for the reply.
    let replica = replica.each + replica.command + 2.0 * replica.wake;
    REQUESTS * (load + replica + redis.each + redis.command + redis.wake + 2.0 * setup.round_trip)
}

/// What each part lets through. The least of them bounds the whole.
pub fn bounds(setup: &Setup, costs: &Costs) -> Vec<Bound> {
    let [load, replica, redis] = [costs.load, costs.replica, costs.redis].map(|cost| demand(cost, setup.cluster));
    let mut bounds = vec![
        ("replicas", setup.replicas as f64 * 1e6 / replica),
        ("masters", setup.masters as f64 * 1e6 / redis),
        ("clients", setup.clients as f64 * 1e6 / (setup.rest + alone(setup, costs))),
    ];
    if let Some(cores) = setup.cores {
        bounds.push(("cores", cores as f64 * 1e6 / (load + replica + redis)));
        bounds.push(("load generator", 1e6 / load));
    }
    bounds
}

/// The part that bounds the whole.
pub fn least(bounds: &[Bound]) -> Bound {
    bounds.iter().copied().fold(("nothing", f64::INFINITY), |least, one| if one.1 < least.1 { one } else { least })
}
