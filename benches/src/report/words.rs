//! How workloads and figures are called and explained. What is not listed here goes by its own name.

/// What a reader has to know about a workload.
pub struct Workload {
    /// As samples have it.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// One and many of what it is varied by.
    pub varied: [&'static str; 2],
    /// What happens in it.
    pub explanation: &'static str,
}

/// In the order of the document.
pub const WORKLOADS: [Workload; 11] = [
    Workload {
        name: "own-locks",
        title: "Own locks: acquire and release, as fast as answers come",
        varied: CLIENTS,
        explanation: "Every client takes a lock that nobody else wants, releases it, and goes on with the next. A cycle is an acquire and a \
                      release. The loop is closed: a client sends its next request when it has the answer to the last, so that more \
                      clients mean more load, and latency is that of one request under this load.",
    },
    Workload {
        name: "own-locks-paced",
        title: "Own locks at a fixed rate: latency",
        varied: CLIENTS,
        explanation: "The same cycles, offered at the same fixed rate to all. Latency counts from the moment when a request was due, not \
                      from when it could be sent: a server that stalls also answers for the requests that it kept from being sent.",
    },
    Workload {
        name: "own-locks-slow",
        title: "Own locks at a fixed rate that etcd keeps up with: latency",
        varied: CLIENTS,
        explanation: "The same, at a rate that is etcd's instead of webdis's to bear.",
    },
    Workload {
        name: "status",
        title: "Status reads",
        varied: CLIENTS,
        explanation: "Every client reads the status of a lock. A cycle is one read.",
    },
    Workload {
        name: "extend",
        title: "Extends",
        varied: CLIENTS,
        explanation: "Every client holds a lock and extends it again and again. A cycle is one extend.",
    },
    Workload {
        name: "mixed",
        title: "A mix of all",
        varied: CLIENTS,
        explanation: "Acquires, extends, status reads and releases, as a client that works under a lock sends them.",
    },
    Workload {
        name: "one-lock",
        title: "One hot lock: handovers",
        varied: CLIENTS,
        explanation: "All clients want the same lock and wait for it. A cycle is a handover: from the release of one to the grant of the \
                      next, who releases at once.",
    },
    Workload {
        name: "held-locks",
        title: "Many held locks",
        varied: ["held lock", "held locks"],
        explanation: "So many locks are held meanwhile. Latency is that of an acquire of one more. Memory is what Redis uses more for each \
                      held lock, with and without the key that keeps the resource's last fence.",
    },
    Workload {
        name: "waiters",
        title: "Many waiters for one lock",
        varied: WAITERS,
        explanation: "So many requests wait for the same lock. Latency is that of a handover to the next; memory is that of the replica for \
                      each waiter; idle is the processor time of the replica while nothing happens.",
    },
    Workload {
        name: "waiters-own-locks",
        title: "Many waiters, each for a lock of its own",
        varied: WAITERS,
        explanation: "The same number of requests wait, but each for another lock.",
    },
    Workload {
        name: "replicas",
        title: "More replicas on the same two cores",
        varied: ["replica", "replicas"],
        explanation: "The cycles of own locks over several replicas of Gorilla with one Redis. They share the cores of this machine, so this \
                      shows what a replica more costs, and not what a machine more would bring.",
    },
];

const CLIENTS: [&str; 2] = ["client", "clients"];
const WAITERS: [&str; 2] = ["waiter", "waiters"];

/// What is known of a workload.
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// What a workload was varied by, in words: `64 clients`.
pub fn at(workload: &str, at: u64) -> String {
    let [one, many] = self::workload(workload).map_or(["", ""], |known| known.varied);
    format!("{} {}", super::numbers::count(at), if at == 1 { one } else { many }).trim_end().into()
}

/// What a reader has to know about a figure.
pub struct Figure {
    /// As samples have it.
    pub name: &'static str,
    /// The heading.
    pub title: &'static str,
    /// Whether a ratio of two of them says who does better.
    pub compared: bool,
}

/// In the order of tables.
const FIGURES: [Figure; 17] = [
    Figure { name: "offered_per_s", title: "offered a second", compared: false },
    Figure { name: "cycles_per_s", title: "cycles a second", compared: true },
    Figure { name: "p50_us", title: "median latency", compared: true },
    Figure { name: "p99_us", title: "99th percentile of latency", compared: true },
    Figure { name: "p999_us", title: "99.9th percentile of latency", compared: true },
    Figure { name: "longest_us", title: "longest latency", compared: true },
    Figure { name: "replica_cpu_us", title: "CPU of the server a request", compared: true },
    Figure { name: "redis_cpu_us", title: "CPU of Redis a request", compared: true },
    Figure { name: "redis_bytes_per_lock", title: "memory of Redis a held lock and its fence", compared: false },
    Figure { name: "redis_bytes_per_lock_without_fence", title: "the same without the fence's key", compared: false },
    Figure { name: "bytes_per_waiter", title: "memory of the replica a waiter", compared: false },
    Figure { name: "bytes_per_waiter_without_connection", title: "the same without its connection", compared: false },
    Figure { name: "idle_percent", title: "CPU while nothing happens, of a core", compared: false },
    Figure { name: "load_cpu_us", title: "CPU of the load generator a request", compared: false },
    Figure { name: "load_busy_percent", title: "load generator busy, of a core", compared: false },
    Figure { name: "bytes", title: "bytes", compared: false },
    Figure { name: "percent", title: "percent", compared: false },
];

/// The heading of a figure, and whether a ratio of two of them says who does better.
pub fn figure(name: &str) -> (&str, bool) {
    let known = FIGURES.iter().find(|figure| figure.name == name);
    known.map_or((name, false), |figure| (figure.title, figure.compared))
}

/// Puts figures into the order of tables, those that are not listed last.
pub fn sort_figures(names: &mut [&str]) {
    names.sort_by_key(|name| FIGURES.iter().position(|figure| figure.name == *name).unwrap_or(FIGURES.len()));
}
