//! What Redis tells of itself: INFO.

use fred::types::{Resp3Frame, config::Server};
use futures_util::future::join_all;
use gorilla_domain::Failure;

use crate::store::base::Store;

/// A master.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its address, as HOST:PORT. Nothing if it is reached by a socket in the file system.
    pub address: Option<String>,
    /// The text of INFO, or why there is none.
    pub info: Result<String, String>,
}

impl Store {
    /// What the master tells of itself, or each master of a Cluster.
    pub async fn info(&self) -> Result<Vec<Node>, Failure> {
        let only = self.link.address();
        let ask = async |node: Option<Server>| {
            let address = node.as_ref().or(only.as_ref()).filter(|server| !server.host.starts_with('/'));
            let address = address.map(ToString::to_string);
            let info = match self.link.command(node, "INFO", vec![]).await {
                Ok(Resp3Frame::BlobString { data, .. } | Resp3Frame::VerbatimString { data, .. }) => {
                    Ok(String::from_utf8_lossy(&data).into_owned())
                }
                Ok(_) => Err("Redis did not reply to INFO with a text".into()),
                Err(error) => Err(error.to_string()),
            };
            Node { address, info }
        };
        Ok(join_all(self.link.nodes()?.into_iter().map(ask)).await)
    }
}
