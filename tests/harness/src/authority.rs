//! A certificate authority of a test.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, pki_types::CertificateDer};
use tempfile::TempDir;

/// An authority that issues certificates into files of a folder. Clones are the same authority.
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
    folder: Arc<TempDir>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate in PEM.
    pub certificate: String,
    /// The key in PEM.
    pub key: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

impl Authority {
    /// A new authority, which nobody trusts yet. Its own certificate is `ca.pem` in its folder.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        // If the authority had the name of the server, OpenSSL would take the certificate of the server for
        // self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder for certificates");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("the file can be written");
        Self { issuer: Arc::new(issuer), folder: Arc::new(folder) }
    }

    /// A certificate for these names or addresses that is valid now.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_until(names, 4096)
    }

    /// A certificate that is valid until the first day of a year.
    pub fn issue_until(&self, names: &[&str], year: i32) -> Issued {
        let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
        let (own, mut params) = (key(), CertificateParams::new(names).expect("names"));
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&own, &*self.issuer).expect("a certificate");
        Issued { certificate: certificate.pem(), key: own.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// A certificate for these names that says to be one of an authority, as `openssl req -x509` makes it.
    pub fn issue_authority(&self, names: &[&str]) -> Issued {
        let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
        let (own, mut params) = (key(), CertificateParams::new(names).expect("names"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.signed_by(&own, &*self.issuer).expect("a certificate");
        Issued { certificate: certificate.pem(), key: own.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// Writes a certificate and its key into the files of the settings [`Authority::settings`].
    pub fn install(&self, issued: &Issued) {
        fs::write(self.file("server.pem"), &issued.certificate).expect("the file can be written");
        fs::write(self.file("server.key"), &issued.key).expect("the file can be written");
    }

    /// The settings of a replica whose certificate is the one that was installed.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        let path = |name| self.file(name).display().to_string();
        [("GORILLA__SERVER__TLS_CERTIFICATE", path("server.pem")), ("GORILLA__SERVER__TLS_KEY", path("server.key"))]
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority's own certificate in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The settings of a client that trusts this authority alone.
    pub fn client(&self) -> ClientConfig {
        self.client_of(rustls::DEFAULT_VERSIONS)
    }

    /// The same for a client that speaks only these versions of TLS.
    pub fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.issuer.der().to_vec())).expect("a certificate of an authority");
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that the provider has")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
