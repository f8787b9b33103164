//! Clients that take, extend and free their own locks without a pause, and the answers that they got.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};

use crate::harness::{Answer, Api, eventually, name, token};

/// From a request to the next of a client that was refused.
const PATIENCE: Duration = Duration::from_millis(5);

/// Until clients that were told to end have done so.
const END: Duration = Duration::from_secs(15);

/// Clients at work.
pub struct Load {
    running: watch::Sender<bool>,
    clients: JoinSet<Tally>,
}

/// What clients met. That nothing else was answered is asserted as it happens.
#[derive(Default)]
pub struct Tally {
    /// Requests that Redis could not serve: 503, and not executed.
    pub refused: u32,
    /// Locks that were gone when their holder extended or freed them. Asserted to be none unless Redis may lose data.
    pub lost: u32,
    /// Requests whose outcome nobody knows: 504.
    pub unknown: u32,
    /// The longest time of a client without a success.
    pub longest: Duration,
    /// The longest time that an answer took.
    pub slowest: Duration,
    may_lose: bool,
    got_through: bool,
    /// The resources of acquires without an outcome.
    in_doubt: Vec<String>,
}

impl Load {
    /// Starts so many clients, one after the other at each of the replicas. Redis keeps its data.
    pub fn start(replicas: &[&Api], clients: usize) -> Self {
        Self::start_with(replicas, clients, false)
    }

    /// The same, where Redis fails over and so may lose what it just confirmed.
    pub fn over_a_failover(replicas: &[&Api], clients: usize) -> Self {
        Self::start_with(replicas, clients, true)
    }

    fn start_with(replicas: &[&Api], clients: usize, may_lose: bool) -> Self {
        let (running, run) = watch::channel(true);
        let one = |api: Api, run: watch::Receiver<bool>| async move {
            let (mut tally, mut success) = (Tally { may_lose, ..Tally::default() }, Instant::now());
            // Whatever came between, each client gets through in the end.
            while *run.borrow() || !tally.got_through {
                tally.cycle(&api, &mut success).await;
            }
            tally.longest = tally.longest.max(success.elapsed());
            tally
        };
        let apis = replicas.iter().cycle().take(clients);
        let clients = apis.map(|&api| one(api.clone(), run.clone())).collect();
        Self { running, clients }
    }

    /// Ends the clients, and waits until no lock is left of an acquire whose outcome nobody learnt.
    pub async fn stop(self, api: &Api) -> Tally {
        self.running.send_replace(false);
        let all = tokio::time::timeout(END, self.clients.join_all());
        let tallies = all.await.expect("every client gets through");
        for resource in tallies.iter().flat_map(|tally| &tally.in_doubt) {
            eventually(&format!("{resource} is free"), Duration::from_secs(3), || async {
                api.state(resource).await["held"] == false
            })
            .await;
        }
        tallies.into_iter().fold(Tally::default(), |all, one| Tally {
            refused: all.refused + one.refused,
            unknown: all.unknown + one.unknown,
            lost: all.lost + one.lost,
            longest: all.longest.max(one.longest),
            slowest: all.slowest.max(one.slowest),
            ..all
        })
    }
}

impl Tally {
    /// Takes, extends and frees a lock of its own.
    async fn cycle(&mut self, api: &Api, success: &mut Instant) {
        let resource = name("load");
        let acquired = self.timed(api.acquire(&resource, "me", 30)).await;
        if !self.succeeded(&acquired, 200, success).await {
            self.in_doubt.extend((acquired.status == 504).then_some(resource));
            return;
        }
        self.got_through = true;
        let lock = acquired.json();
        let extended = self.timed(api.extend(&resource, token(&lock), 60)).await;
        let last = match self.succeeded(&extended, 200, success).await {
            true => {
                let extended = extended.json();
                assert_eq!(extended["fence"], lock["fence"], "nobody else had it");
                extended
            }
            // The request was not executed, so the earlier token is still the current one.
            false if extended.status == 503 => lock,
            false => return,
        };
        let released = self.timed(api.release(&resource, token(&last))).await;
        self.succeeded(&released, 204, success).await;
    }

    async fn timed(&mut self, answer: impl Future<Output = Answer>) -> Answer {
        let begun = Instant::now();
        let answer = answer.await;
        self.slowest = self.slowest.max(begun.elapsed());
        answer
    }

    async fn succeeded(&mut self, answer: &Answer, expected: u16, success: &mut Instant) -> bool {
        match answer.status {
            503 => {
                assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}");
                self.refused += 1;
                tokio::time::sleep(PATIENCE).await;
            }
            504 => {
                assert_eq!(answer.json()["outcome"], "unknown", "{answer:?}");
                self.unknown += 1;
            }
            404 if self.may_lose => self.lost += 1,
            status => {
                assert_eq!(status, expected, "{answer:?}");
                self.longest = self.longest.max(success.elapsed());
                *success = Instant::now();
                return true;
            }
        }
        false
    }
}
