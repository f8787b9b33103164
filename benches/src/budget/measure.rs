//! Counts the instructions of a replica for some kinds of requests.

use anyhow::{Context, Result};

use super::{
    callgrind::Counted,
    kinds::{Client, Kind},
};
use crate::load::block_on;

/// Requests of a kind before those that count. After them connections, buffers and tables don't grow any more.
pub const WARM_UP: usize = 200;
/// Requests of a kind that count.
pub const COUNTED: usize = 300;

/// The instructions of a replica for each of these kinds of requests, one after the other.
pub fn measure(replica: &Counted, client: &mut Client, kinds: &[Kind]) -> Result<Vec<(&'static str, f64)>> {
    let measured = measure_by(replica, client, kinds, || replica.counted())?;
    Ok(measured.into_iter().map(|(name, counted, requests)| (name, counted / requests)).collect())
}

/// What is counted for each of these kinds of requests, one after the other, and for how many requests.
pub fn measure_by<T>(
    replica: &Counted,
    client: &mut Client,
    kinds: &[Kind],
    counted: impl Fn() -> Result<T>,
) -> Result<Vec<(&'static str, T, f64)>> {
    block_on(async {
        let mut measured = vec![];
        for kind @ Kind(name, together, ..) in kinds {
            let [warm_up, all] = [WARM_UP, WARM_UP + COUNTED].map(|requests| requests.div_ceil(*together));
            for step in 0..all {
                if step == warm_up {
                    replica.forget()?;
                }
                client.step(kind, step, &|| replica.rest()).await.with_context(|| format!("{name} {step}"))?;
            }
            measured.push((*name, counted()?, ((all - warm_up) * together) as f64));
        }
        Ok(measured)
    })
}
