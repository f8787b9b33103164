//! `gorilla dev`: runs a replica with a Redis of its own.

mod private_redis;

use std::{env, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Args;
use tokio::time::{Instant, sleep};

use super::{messages::fail, runtime::runtime, sources::Sources};
use crate::{
    access::Current,
    logging,
    serve::{Replica, bind, outlive_others},
    settings::{Record, RedisUrl, Settings},
};
use private_redis::PrivateRedis;

const PATIENCE: Duration = Duration::from_secs(10);

/// Serve locks kept in a private Redis.
#[derive(Args)]
pub struct Dev {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve on this address, 127.0.0.1:4000 by default
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Keep the locks in this folder, ~/.local/state/gorilla by default
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Dev {
    pub fn run(self) -> Result<(), ExitCode> {
        let sources = Sources { config: self.config, listen: self.listen, redis_url: None };
        let settings = sources.load_to_serve()?;
        let folder = match self.state.or_else(default_folder) {
            Some(folder) => folder,
            None => return Err(fail("HOME is not set; say where to keep the locks with --state DIR.")),
        };
        let log = logging::begin(&settings.log).map_err(fail)?;
        let access = Sources::access(&settings)?;
        let ended = runtime(settings.server.threads)?.block_on(dev(settings, access, folder));
        // So that the last lines of the log come before the last sentence.
        drop(log);
        ended.map_err(fail)
    }
}

fn default_folder() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")));
    Some(state?.join("gorilla"))
}

/// An error is a sentence.
async fn dev(mut settings: Settings, access: Option<Arc<Current>>, folder: PathBuf) -> Result<(), String> {
    let reloads = outlive_others().map_err(|error| error.to_string())?;
    // First, because it costs nothing and fails most often.
    let listener = bind(settings.server.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    // No load balancer sends requests to this replica, so none needs to notice that it ends.
    settings.server.drain_delay = Duration::ZERO;
    let mut redis = PrivateRedis::start(&folder).await?;
    // So that each lock has a history.
    if settings.events.record == Record::Listened {
        settings.events.record = Record::Always;
    }
    settings.redis.url = RedisUrl::unix_socket(redis.socket());
    let url = format!("{}://{address}", if settings.server.tls.is_some() { "https" } else { "http" });
    let replica = Replica::start(listener, settings, access, &reloads)?;
    let begun = Instant::now();
    while let Err(why) = replica.store().ready().await {
        if begun.elapsed() > PATIENCE {
            return Err(format!("the private Redis does not work: {why}. Its log is in {}.", redis.log().display()));
        }
        sleep(Duration::from_millis(5)).await;
    }
    println!("Gorilla serves on {url}, with its locks in {}. Ctrl-C ends it.", folder.display());
    println!("Take a lock:\n");
    println!(
        "  curl -X POST {url}/api/v1/locks/orders -H 'Content-Type: application/json' -d '{{\"owner\":\"me\",\"timeout\":30}}'\n"
    );
    println!("Look at it in a browser, and in Redis:\n");
    println!("  {url}/#/locks/orders\n  redis-cli -s {} HGETALL 'gorilla:{{orders}}:lock'\n", redis.socket().display());
    tokio::select! {
        () = replica.serve() => {}
        why = redis.ended() => return Err(why),
    }
    redis.stop().await;
    Ok(())
}
