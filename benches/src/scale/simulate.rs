//! A discrete-event simulation of clients, replicas and masters. Each process serves on one thread, in turns: a turn
//! takes what has come meanwhile, needs processor time for it, and sends what comes of it. Deterministic for a seed.

use std::{collections::BTreeMap, collections::VecDeque};

use fastrand::Rng;
use hdrhistogram::Histogram;

use super::costs::{Cost, Costs};

/// Requests that a replica takes in one turn at most: src/commands/runtime.rs.
pub const SERVED_TOGETHER: usize = 16;
/// Requests in one command at most: src/store/link/batch.rs.
const MOST: usize = 64;
/// The seed of all predictions, so that the same figures give the same page.
pub const SEED: u64 = 1;
/// How much of the simulated time goes by before anything counts.
const WARM_UP: f64 = 0.2;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub replicas: usize,
    pub masters: usize,
    /// Whether the masters are a Cluster, to which replicas send each request as a command of its own.
    pub cluster: bool,
    /// Each takes and releases locks of its own, one after the other.
    pub clients: usize,
    /// Microseconds for which a client rests after each lock, on average.
    pub rest: f64,
    /// The cores that the load generator, the replicas and the masters share. Without it each replica and each master
    /// has a core of its own, and clients cost nothing.
    pub cores: Option<usize>,
    /// Microseconds to another process and back.
    pub round_trip: f64,
}

/// What the clients saw, and what the processes did.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub cycles_per_s: f64,
    /// Of an acquire, in microseconds.
    pub median: f64,
    pub p99: f64,
    /// Requests in a command.
    pub batch: f64,
    /// The part of its time for which the busiest replica, and the busiest master, works.
    pub busy: [f64; 2],
    /// How many cores all processes together keep busy.
    pub cores: f64,
    /// How often a replica, and a master, is woken for a request.
    pub wakes: [f64; 2],
}

/// What one process sends to another.
enum Message {
    /// A client asks a replica, or a replica asks a master for some clients.
    Ask { from: usize, clients: Vec<usize> },
    /// A master replies to a replica, or a replica answers a client.
    Reply { clients: Vec<usize> },
}

/// What happens at a time.
enum Event {
    Arrives(usize, Message),
    /// A process has ended its turn.
    Ended(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Load,
    Replica,
    Master,
}

struct Process {
    role: Role,
    cost: Cost,
    /// Those of a machine share its cores.
    machine: usize,
    inbox: VecDeque<Message>,
    /// It works, or waits for a core.
    is_awake: bool,
    /// It slept until now, so its next turn begins with waking up.
    slept: bool,
    /// Commands of this replica without a reply so far.
    on_their_way: usize,
    busy: f64,
    wakes: u64,
}

#[derive(Clone, Default)]
struct Client {
    holds: bool,
    asked: f64,
    master: usize,
}

struct Simulation<'a> {
    setup: &'a Setup,
    now: f64,
    ends: f64,
    random: Rng,
    /// What will happen, by its time in nanoseconds. Numbers keep what happens at the same time in order.
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
    processes: Vec<Process>,
    /// Free cores, and the processes that wait for one, for each machine.
    machines: Vec<(usize, VecDeque<usize>)>,
    clients: Vec<Client>,
    latency: Histogram<u64>,
    cycles: u64,
    requests: u64,
    commands: u64,
}

/// Simulates so many seconds.
pub fn simulate(setup: &Setup, costs: &Costs, seconds: f64, seed: u64) -> Seen {
    let Setup { replicas, masters, cores, .. } = *setup;
    let process = |machine: usize, role: Role, cost: Cost| {
        let machine = if cores.is_some() { 0 } else { machine };
        let (inbox, is_awake, slept, on_their_way, busy, wakes) = (VecDeque::new(), false, true, 0, 0.0, 0);
        Process { role, cost, machine, inbox, is_awake, slept, on_their_way, busy, wakes }
    };
    let roles =
        [(1, Role::Load, costs.load), (replicas, Role::Replica, costs.replica), (masters, Role::Master, costs.redis)];
    let all = roles.into_iter().flat_map(|(count, role, cost)| std::iter::repeat_n((role, cost), count));
    let processes: Vec<_> = all.enumerate().map(|(number, (role, cost))| process(number, role, cost)).collect();
    let machines = (0..processes.len()).map(|_| (cores.unwrap_or(1), VecDeque::new())).collect();
    let mut simulation = Simulation {
        setup,
        now: 0.0,
        ends: seconds * 1e6,
        random: Rng::with_seed(seed),
        events: BTreeMap::new(),
        number: 0,
        processes,
        machines,
        clients: vec![Client::default(); setup.clients],
        latency: crate::load::histogram(),
        cycles: 0,
        requests: 0,
        commands: 0,
    };
    simulation.run();
    simulation.seen()
}

impl Simulation<'_> {
    fn run(&mut self) {
        for client in 0..self.setup.clients {
            // Clients that begin at the same time would go on in step.
            let begin = self.random.f64() * 100.0 + self.rest();
            self.client_asks(client, begin);
        }
        while let Some(((time, _), event)) = self.events.pop_first() {
            self.now = time as f64 / 1000.0;
            match event {
                _ if self.now > self.ends => return,
                Event::Arrives(to, message) => self.arrives(to, message),
                Event::Ended(process) => self.ended(process),
            }
        }
    }

    fn counts(&self, time: f64) -> bool {
        time > self.ends * WARM_UP
    }

    fn happens(&mut self, time: f64, event: Event) {
        self.events.insert(((time * 1000.0) as u64, self.number), event);
        self.number += 1;
    }

    /// Sends a message, which goes half of a round trip.
    fn send(&mut self, time: f64, to: usize, message: Message) {
        self.happens(time + self.setup.round_trip / 2.0, Event::Arrives(to, message));
    }

    fn arrives(&mut self, to: usize, message: Message) {
        if self.processes[to].role == Role::Load && self.setup.cores.is_none() {
            let Message::Reply { clients } = message else { return };
            return clients.into_iter().for_each(|client| self.client_answered(client, self.now));
        }
        // Connections become ready in no strict order. In a strict order, clients that were served in one turn would stay
        // together for ever, and all acquire and then all release, in commands twice as large as real ones.
        let inbox = &mut self.processes[to].inbox;
        let place = inbox.len() - self.random.usize(..=inbox.len().min(2 * SERVED_TOGETHER));
        inbox.insert(place, message);
        if !self.processes[to].is_awake {
            self.processes[to].is_awake = true;
            self.wants_a_core(to);
        }
    }

    fn wants_a_core(&mut self, process: usize) {
        let (free, waiting) = &mut self.machines[self.processes[process].machine];
        if *free == 0 {
            return waiting.push_back(process);
        }
        *free -= 1;
        self.takes_a_turn(process);
    }

    /// Ends a turn: the core is free for another process, and this one sleeps if nothing has come meanwhile.
    fn ended(&mut self, process: usize) {
        let machine = self.processes[process].machine;
        self.machines[machine].0 += 1;
        if self.processes[process].inbox.is_empty() {
            (self.processes[process].is_awake, self.processes[process].slept) = (false, true);
        } else {
            self.machines[machine].1.push_back(process);
        }
        if let Some(next) = self.machines[machine].1.pop_front() {
            self.machines[machine].0 -= 1;
            self.takes_a_turn(next);
        }
    }

    fn takes_a_turn(&mut self, process: usize) {
        let Process { role, cost, slept, .. } = self.processes[process];
        // The same work takes different times, so that processes don't go in step.
        let mut random = self.random.fork();
        let mut pace = || 0.5 + random.f64();
        let mut time = self.now + if slept { cost.wake * pace() } else { 0.0 };
        self.processes[process].slept = false;
        self.processes[process].wakes += u64::from(slept && self.counts(self.now));
        let inbox = std::mem::take(&mut self.processes[process].inbox);
        match role {
            Role::Load => {
                for message in inbox {
                    let Message::Reply { clients } = message else { continue };
                    for client in clients {
                        time += cost.each * pace();
                        self.client_answered(client, time);
                    }
                }
            }
            Role::Replica => {
                let mut asked = vec![];
                for message in inbox {
                    match message {
                        Message::Ask { clients, .. } if asked.len() < SERVED_TOGETHER => {
                            time += cost.each * pace() / 2.0;
                            asked.extend(clients);
                        }
                        Message::Reply { clients } => {
                            self.processes[process].on_their_way -= 1;
                            for client in clients {
                                time += cost.each * pace() / 2.0;
                                self.send(time, 0, Message::Reply { clients: vec![client] });
                            }
                        }
                        // What comes above the limit waits for the next turn.
                        later => self.processes[process].inbox.push_back(later),
                    }
                }
                for clients in self.commands(process, asked) {
                    time += cost.command * pace();
                    self.processes[process].on_their_way += 1;
                    if self.counts(time) {
                        (self.commands, self.requests) = (self.commands + 1, self.requests + clients.len() as u64);
                    }
                    let master = 1 + self.setup.replicas + self.clients[clients[0]].master;
                    self.send(time, master, Message::Ask { from: process, clients });
                }
            }
            Role::Master => {
                let mut replies = vec![];
                for message in inbox {
                    let Message::Ask { from, clients } = message else { continue };
                    time += (cost.command + cost.each * clients.len() as f64) * pace();
                    replies.push((from, Message::Reply { clients }));
                }
                // Redis writes its replies after the append-only file, at the end of a turn.
                replies.into_iter().for_each(|(to, reply)| self.send(time, to, reply));
            }
        }
        if self.counts(self.now) {
            self.processes[process].busy += time - self.now;
        }
        self.happens(time, Event::Ended(process));
    }

    /// Makes commands of what clients have asked in one turn, as src/store/link does: a request goes alone if nothing is
    /// on its way, and requests for the same script go together.
    fn commands(&self, replica: usize, asked: Vec<usize>) -> Vec<Vec<usize>> {
        if self.setup.cluster {
            return asked.into_iter().map(|client| vec![client]).collect();
        }
        let alone = usize::from(self.processes[replica].on_their_way == 0).min(asked.len());
        let (alone, together) = asked.split_at(alone);
        let (releases, acquires): (Vec<_>, Vec<_>) = together.iter().partition(|client| self.clients[**client].holds);
        [alone.to_vec(), releases, acquires].iter().flat_map(|all| all.chunks(MOST).map(<[usize]>::to_vec)).collect()
    }

    fn client_asks(&mut self, client: usize, time: f64) {
        if !self.clients[client].holds {
            // The next lock may belong to another master.
            self.clients[client].master = self.random.usize(..self.setup.masters);
        }
        self.clients[client].asked = time;
        self.send(time, 1 + client % self.setup.replicas, Message::Ask { from: 0, clients: vec![client] });
    }

    fn client_answered(&mut self, client: usize, time: f64) {
        let Client { holds, asked, .. } = self.clients[client];
        self.clients[client].holds = !holds;
        if self.counts(time) && time <= self.ends {
            if holds {
                self.cycles += 1;
            } else {
                self.latency.saturating_record(((time - asked) * 1000.0) as u64);
            }
        }
        let rest = if holds { self.rest() } else { 0.0 };
        self.client_asks(client, time + rest);
    }

    /// A random time whose mean is that of the set-up, so that clients come at random.
    fn rest(&mut self) -> f64 {
        -self.setup.rest * (1.0 - self.random.f64()).ln()
    }

    fn seen(&self) -> Seen {
        let counted = self.ends * (1.0 - WARM_UP);
        let of = |role| self.processes.iter().filter(move |process| process.role == role);
        let busy = |role| of(role).map(|process| process.busy / counted).fold(0.0, f64::max);
        let wakes = |role| of(role).map(|process| process.wakes).sum::<u64>() as f64 / self.requests as f64;
        let [median, p99] = [50.0, 99.0].map(|percent| crate::load::percentile_us(&self.latency, percent));
        Seen {
            cycles_per_s: self.cycles as f64 / counted * 1e6,
            median,
            p99,
            batch: self.requests as f64 / self.commands as f64,
            busy: [busy(Role::Replica), busy(Role::Master)],
            cores: self.processes.iter().map(|process| process.busy).sum::<f64>() / counted,
            wakes: [wakes(Role::Replica), wakes(Role::Master)],
        }
    }
}
