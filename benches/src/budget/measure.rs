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
    block_on(async {
        let mut measured = vec![];
        for kind @ Kind(name, together, ..) in kinds {
            let [warm_up, all] = [WARM_UP, WARM_UP + COUNTED].map(|requests| requests.div_ceil(*together));
            for step in 0..all {
                if step == warm_up {
                    replica.forget()?;
                }
                client.step(kind, step, replica).await.with_context(|| format!("{name} {step}"))?;
            }
            measured.push((*name, replica.counted()? / ((all - warm_up) * together) as f64));
        }
        Ok(measured)
    })
}
