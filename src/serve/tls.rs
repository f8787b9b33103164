//! TLS on the listener: the certificate in force, and the settings of rustls.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    Error, InconsistentKeys, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio_rustls::TlsAcceptor;

use crate::{reload::Files, rfc3339::Rfc3339, settings::TlsFiles};

/// A certificate with its key, ready for handshakes.
pub struct Certificate {
    /// Does the handshakes.
    pub acceptor: TlsAcceptor,
    /// When it ends to be valid, in seconds since 1970.
    pub expires: i64,
}

impl Certificate {
    /// The certificate in these files.
    pub fn in_files(files: &TlsFiles) -> Files<Self> {
        let TlsFiles { certificate, key } = files.clone();
        let paths = vec![certificate.clone(), key.clone()];
        let make = move |contents: &[Vec<u8>]| match contents {
            [chain, secret] => Self::of(&certificate, chain, &key, secret),
            _ => Err("there must be two files".into()),
        };
        Files { what: "the TLS certificate", paths, make: Box::new(make) }
    }

    /// Makes it of the content of both files. An error says which file is wrong, and repeats nothing of the key.
    fn of(chain_path: &Path, chain: &[u8], key_path: &Path, key: &[u8]) -> Result<Self, String> {
        let (chain_path, key_path) = (chain_path.display(), key_path.display());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{chain_path} is not valid PEM: {error}"))?;
        let Some(first) = chain.first() else {
            return Err(format!("{chain_path} has no certificate in PEM (-----BEGIN CERTIFICATE-----)"));
        };
        let expires = match x509_parser::parse_x509_certificate(first) {
            Ok((_, parsed)) => parsed.validity().not_after.timestamp(),
            Err(_) => return Err(format!("the first certificate in {chain_path} can't be read")),
        };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            format!("{key_path} has no private key in PEM (-----BEGIN PRIVATE KEY-----), or its key has a password")
        })?;
        let provider = Arc::new(ring::default_provider());
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                format!("the key in {key_path} is not that of the first certificate in {chain_path}")
            }
            _ => format!("the key in {key_path} can't be used with the certificate in {chain_path}: {error}"),
        })?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            // Clients show no certificates. If they shall one day, what verifies them has its place here.
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: Arc::new(config).into(), expires })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let is_over = self.expires < i64::try_from(now).unwrap_or(i64::MAX);
        let expires = Rfc3339::from_millis(self.expires.saturating_mul(1000));
        f.write_str(if is_over { "has expired at " } else { "expires at " })?;
        f.write_str(expires.as_str())
    }
}
