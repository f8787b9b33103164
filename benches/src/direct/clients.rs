//! Clients in Rust: many in a closed loop on one thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    runtime,
    task::{JoinSet, LocalSet},
    time::sleep,
};

use super::{Measured, Task, program};

/// One client. An error of it ends everything.
pub trait Client: 'static {
    /// What a release needs.
    type Held;
    /// Takes its lock.
    async fn acquire(&mut self) -> Result<Self::Held, String>;
    /// Gives it back.
    async fn release(&mut self, held: Self::Held) -> Result<(), String>;
}

/// What all clients write into.
#[derive(Default)]
struct Tally {
    phase: Cell<Phase>,
    waits: RefCell<Vec<Duration>>,
    longest: Cell<Duration>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Phase {
    #[default]
    WarmUp,
    Measured,
    Over,
}

/// Has the clients do their task. `used` tells the processor time that client and server have used so far.
pub fn run<C: Client>(
    task: Task,
    connect: impl AsyncFn(String) -> Result<C, String>,
    used: impl Fn() -> Result<(Duration, Option<Duration>), String>,
) -> Result<Measured, String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, async {
        let tally = Rc::<Tally>::default();
        let mut loops = JoinSet::new();
        for number in 0..task.clients {
            let client = connect(task.resource(number)).await?;
            loops.spawn_local(closed_loop(client, Rc::clone(&tally)));
        }
        alive(&mut loops, task.warm_up()).await?;
        let (before, begun) = (used()?, Instant::now());
        tally.phase.set(Phase::Measured);
        alive(&mut loops, task.measured()).await?;
        let (elapsed, after) = (begun.elapsed(), used()?);
        tally.phase.set(Phase::Over);
        while let Some(ended) = loops.join_next().await {
            ended.map_err(|error| error.to_string())??;
        }
        let mut waits = tally.waits.take();
        waits.sort_unstable();
        let percentile = |percent| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
        program::something(Measured {
            cycles: waits.len() as u64,
            elapsed,
            p50: percentile(50),
            p99: percentile(99),
            longest: tally.longest.get(),
            client_cpu: after.0 - before.0,
            server_cpu: after.1.zip(before.1).map(|(after, before)| after - before),
        })
    })
}

/// Lets some time pass, or fails with the first client that does.
async fn alive(loops: &mut JoinSet<Result<(), String>>, time: Duration) -> Result<(), String> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        // None of them ends before it is told to, unless it fails.
        Some(ended) = loops.join_next() => ended.map_err(|error| error.to_string())?,
    }
}

async fn closed_loop<C: Client>(mut client: C, tally: Rc<Tally>) -> Result<(), String> {
    while tally.phase.get() != Phase::Over {
        let asked = Instant::now();
        let held = client.acquire().await?;
        let wait = asked.elapsed();
        if tally.phase.get() == Phase::Measured {
            tally.waits.borrow_mut().push(wait);
        }
        if tally.phase.get() != Phase::WarmUp {
            tally.longest.set(tally.longest.get().max(wait));
        }
        client.release(held).await?;
    }
    Ok(())
}
