//! Whether Redis serves writes: `lua/ready.lua`.

use fred::types::config::Server;
use futures_util::future::join_all;
use gorilla_scripts::Ready;

use crate::store::{base::Store, link::fitness};

/// Why a node is not ready.
enum Unready {
    /// The node endangers the locks that it has.
    Unfit(String),
    /// The node serves no requests now.
    Refuses(String),
}

impl Store {
    /// Whether Redis can serve writes now; an error says why it can't. Writes nothing. A Redis that is out of memory is
    /// ready, because holders can still extend and release. A cluster is ready if any of its masters serves: if this
    /// replica left the service, clients would lose that master too.
    pub async fn ready(&self) -> Result<(), String> {
        if let Some(why) = self.link.trouble() {
            return Err(why);
        }
        let nodes = self.link.nodes().map_err(|error| error.to_string())?;
        let mut refusals = Vec::new();
        let all = nodes.len();
        for asked in join_all(nodes.into_iter().map(|node| self.ready_at(node))).await {
            match asked {
                Ok(()) => {}
                Err(Unready::Unfit(why)) => return Err(why),
                Err(Unready::Refuses(why)) => refusals.push(why),
            }
        }
        let serves_nobody = refusals.len() == all;
        refusals.pop().filter(|_| serves_nobody).map_or(Ok(()), Err)
    }

    async fn ready_at(&self, node: Option<Server>) -> Result<(), Unready> {
        match self.link.command(node.clone(), "INFO", vec!["memory".into()]).await {
            Ok(info) => fitness::judge(&info).map_err(Unready::Unfit)?,
            Err(error) => fitness::judge_unread(&error).map_err(Unready::Refuses)?,
        }
        if self.replicas_wanted > 0 {
            self.replicas_online(node.clone()).await.map_err(Unready::Refuses)?;
        }
        let sent = self.run_at(node.as_ref(), &Ready {}).await;
        sent.map_err(|error| Unready::Refuses(error.to_string()))
    }

    /// Whether a master has as many replicas as must confirm a success.
    async fn replicas_online(&self, node: Option<Server>) -> Result<(), String> {
        let wanted = self.replicas_wanted;
        let info =
            self.link.command(node, "INFO", vec!["replication".into()]).await.map_err(|error| error.to_string())?;
        let online = fitness::replicas_online(&info);
        if online >= wanted as usize {
            return Ok(());
        }
        Err(format!(
            "{online} replicas of Redis are online, and redis.min_replicas_ack wants {wanted} to confirm each success"
        ))
    }
}
