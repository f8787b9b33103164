//! `gorilla healthcheck`: asks a replica on this machine whether it is alive.

use std::{
    error::Error,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{messages::fail, runtime::runtime, sources::Sources};

const PATIENCE: Duration = Duration::from_secs(3);

/// Succeeds if `/_health` on the address of the settings answers 200.
pub fn run(sources: &Sources) -> Result<(), ExitCode> {
    let server = sources.load()?.server;
    let (mut address, scheme) = (server.listen, if server.tls.is_some() { "https" } else { "http" });
    // A replica that listens on all addresses listens on the loopback too.
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let url = format!("{scheme}://{address}/_health");
    match runtime(1)?.block_on(async { timeout(PATIENCE, health(address, scheme == "https")).await }) {
        Ok(Ok(StatusCode::OK)) => Ok(()),
        Ok(Ok(status)) => Err(fail(format!("{url} answered {status}."))),
        Ok(Err(error)) => Err(fail(format!("{url} can't be reached: {error}."))),
        Err(_) => Err(fail(format!("{url} did not answer within {} s.", PATIENCE.as_secs()))),
    }
}

async fn health(address: SocketAddr, over_tls: bool) -> Result<StatusCode, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    if !over_tls {
        return status(stream).await;
    }
    let connector = TlsConnector::from(Arc::new(any_certificate()?));
    status(connector.connect(address.ip().into(), stream).await?).await
}

/// What `/_health` answers over this connection.
async fn status(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<StatusCode, Box<dyn Error>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // A replica serves this host whatever server.allowed_hosts says.
    let request = Request::get("/_health").header(header::HOST, "localhost").body(Empty::<bytes::Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}

/// Settings of TLS that accept the certificate of any server. The replica is on this machine, and is told no secret; and a
/// certificate that has expired is no reason to restart the replica.
fn any_certificate() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(AnyCertificate(provider));
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
