//! The arguments that say how to hold a lock.

use std::process::ExitCode;

use clap::{Args, ValueEnum, value_parser};
use gorilla_client::Kind;

use crate::commands::{exit, messages::tell};

/// How to hold a lock that is taken.
#[derive(Args)]
pub struct Sharing {
    /// Share the lock with all who share it, as readers do; whoever asks without this option has the lock alone
    #[arg(long)]
    shared: bool,
    /// Share the lock, with at most so many permits for all holders together; everybody must name the same limit
    #[arg(long, value_name = "N", value_parser = permits())]
    limit: Option<u32>,
    /// Take so many of the permits [default: 1]
    #[arg(long, value_name = "K", value_parser = permits(), requires = "limit")]
    permits: Option<u32>,
}

/// How to convert a lock that is held.
#[derive(Args)]
pub struct Conversion {
    /// Convert the lock to this mode, with nobody in between: its fence changes; exclusive works only if nobody else
    /// shares the lock
    #[arg(long, value_name = "MODE")]
    mode: Option<To>,
    /// With `--mode shared`: at most so many permits for all holders together
    #[arg(long, value_name = "N", value_parser = permits(), requires = "mode")]
    limit: Option<u32>,
    /// With `--limit`: take so many of the permits [default: 1]
    #[arg(long, value_name = "K", value_parser = permits(), requires = "limit")]
    permits: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum To {
    Exclusive,
    Shared,
}

impl Sharing {
    pub fn kind(&self) -> Kind {
        match (self.shared, self.limit) {
            (false, None) => Kind::Exclusive,
            _ => shared(self.limit, self.permits),
        }
    }
}

impl Conversion {
    /// The new kind; None to keep the old one.
    pub fn kind(&self) -> Result<Option<Kind>, ExitCode> {
        match (self.mode, self.limit) {
            (None, _) => Ok(None),
            (Some(To::Exclusive), None) => Ok(Some(Kind::Exclusive)),
            (Some(To::Exclusive), Some(_)) => {
                tell("--limit needs `--mode shared`: an exclusive lock has no permits.");
                Err(ExitCode::from(exit::USAGE))
            }
            (Some(To::Shared), limit) => Ok(Some(shared(limit, self.permits))),
        }
    }
}

fn shared(limit: Option<u32>, permits: Option<u32>) -> Kind {
    let kind = limit.map_or(Kind::shared(), Kind::limited);
    permits.map_or(kind, |permits| kind.with_permits(permits))
}

/// Parses a number of permits by the rule of the server.
pub fn permits() -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(1..=1_000_000)
}
