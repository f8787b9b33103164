//! `gorilla serve`: runs a replica.: runs a replica.

use std::process::ExitCode;

use super::{messages::fail, runtime::runtime, sources::Sources};
use crate::{
    logging,
    serve::{Replica, bind, outlive_others},
};

/// Serves until a signal ends the replica.
pub fn run(sources: &Sources) -> Result<(), ExitCode> {
    let settings = sources.load_to_serve()?;
    let _log = logging::begin(&settings.log).map_err(fail)?;
    let access = Sources::access(&settings)?;
    runtime(settings.server.threads)?.block_on(async {
        let reloads = outlive_others().map_err(fail)?;
        let listener = bind(settings.server.listen).await.map_err(fail)?;
        Replica::start(listener, settings, access, &reloads).map_err(fail)?.serve().await;
        Ok(())
    })
}
