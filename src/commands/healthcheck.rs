//! `gorilla healthcheck`: asks a replica on this machine whether it is alive.: asks a replica on this machine whether
//! it is alive.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use axum::http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use super::{messages::fail, runtime::runtime, sources::Sources};

const PATIENCE: Duration = Duration::from_secs(3);

/// Succeeds if `/_health` on the address of the settings answers 200.
pub fn run(sources: &Sources) -> Result<(), ExitCode> {
    let mut address = sources.load()?.server.listen;
    // A replica that listens on all addresses listens on the loopback too.
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    match runtime(1)?.block_on(async { timeout(PATIENCE, health(address)).await }) {
        Ok(Ok(StatusCode::OK)) => Ok(()),
        Ok(Ok(status)) => Err(fail(format!("http://{address}/_health answered {status}."))),
        Ok(Err(error)) => Err(fail(format!("http://{address}/_health can't be reached: {error}."))),
        Err(_) => Err(fail(format!("http://{address}/_health did not answer within {} s.", PATIENCE.as_secs()))),
    }
}

async fn health(address: SocketAddr) -> Result<StatusCode, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // A replica serves this host whatever server.allowed_hosts says.
    let request = Request::get("/_health").header(header::HOST, "localhost").body(Empty::<bytes::Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
