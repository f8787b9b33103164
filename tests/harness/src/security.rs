//! Servers that want a user and a password, and TLS if a test says so.

use std::{fs, path::PathBuf, sync::Arc};

use tempfile::TempDir;

use crate::Authority;

/// Which users the servers know, and whether the servers speak TLS. Clones have the same users and the same authority.
#[derive(Clone)]
pub struct Security {
    files: Arc<TempDir>,
    /// The authority of the certificates, if the servers speak TLS.
    authority: Option<Authority>,
}

impl Security {
    /// The user that tests are about.
    pub const USER: &str = "gorilla";
    /// The password of that user, with characters that a URL must escape.
    pub const PASSWORD: &str = "s3cret/@word";
    const ADMIN: [&str; 2] = ["admin", "adm1n"];

    /// The user has the given rights, as `ACL SETUSER` takes them; connections are plain TCP.
    pub fn acl(rules: &str) -> Self {
        Self::new(rules, false)
    }

    /// The user has the given rights, and all connections use TLS, with certificates of an authority of this test.
    pub fn acl_and_tls(rules: &str) -> Self {
        Self::new(rules, true)
    }

    fn new(rules: &str, tls: bool) -> Self {
        let files = Arc::new(tempfile::tempdir().expect("a folder for users and certificates"));
        let authority = tls.then(Authority::new);
        if let Some(authority) = &authority {
            authority.install(&authority.issue(&["127.0.0.1"]));
        }
        let security = Self { files, authority };
        fs::write(security.file("server.acl"), Self::users(rules)).expect("the file can be written");
        security
    }

    fn users(rules: &str) -> String {
        let ([admin, admins], user, password) = (Self::ADMIN, Self::USER, Self::PASSWORD);
        format!("user default off\nuser {admin} on >{admins} ~* &* +@all\nuser {user} on >{password} {rules}\n")
    }

    /// The environment with which a replica of Gorilla trusts the servers.
    pub fn trust(&self) -> Vec<(&'static str, String)> {
        self.certificates("ca.pem").map(|path| ("SSL_CERT_FILE", path)).into_iter().collect()
    }

    /// The start of a URL: `redis://user:password@`, or `rediss-cluster://…` and the like, of a `kind` such as
    /// `-cluster`.
    pub(crate) fn url_start(&self, kind: &str) -> String {
        let scheme = if self.authority.is_some() { "rediss" } else { "redis" };
        format!("{scheme}{kind}://{}:{}@", Self::USER, Self::escaped_password())
    }

    /// The password with the escapes of a URL.
    pub fn escaped_password() -> String {
        percent_encoding::utf8_percent_encode(Self::PASSWORD, percent_encoding::NON_ALPHANUMERIC).to_string()
    }

    /// Settings of a server or a sentinel, each a name and its value.
    pub(crate) fn settings(&self, users: &str, port: u16) -> Vec<(&'static str, String)> {
        let mut settings = vec![("aclfile", self.path(users))];
        if let Some(authority) = &self.authority {
            let path = |name| authority.file(name).display().to_string();
            settings.extend([
                ("port", "0".into()),
                ("tls-port", port.to_string()),
                ("tls-cert-file", path("server.pem")),
                ("tls-key-file", path("server.key")),
                ("tls-ca-cert-file", path("ca.pem")),
                ("tls-auth-clients", "no".into()),
                // For connections between servers and sentinels.
                ("tls-replication", "yes".into()),
            ]);
        }
        settings
    }

    /// Settings of a server only.
    pub(crate) fn server_settings(&self, clustered: bool) -> Vec<(&'static str, String)> {
        let [user, password] = Self::ADMIN.map(String::from);
        let mut settings = vec![("masteruser", user), ("masterauth", password)];
        settings.extend((self.authority.is_some() && clustered).then(|| ("tls-cluster", "yes".into())));
        settings
    }

    /// Settings of a sentinel only: how it logs in to the servers of `service` and to the other sentinels.
    pub(crate) fn sentinel_settings(&self, service: &str) -> String {
        let [user, password] = Self::ADMIN;
        format!(
            "sentinel auth-user {service} {user}\nsentinel auth-pass {service} {password}\n\
             sentinel sentinel-user {user}\nsentinel sentinel-pass {password}\n"
        )
    }

    /// Gives the user these rights at the sentinels, which have their own users.
    #[must_use]
    pub fn with_sentinel_rules(self, rules: &str) -> Self {
        fs::write(self.file("sentinel.acl"), Self::users(rules)).expect("the file can be written");
        self
    }

    /// The options of redis-cli before a command.
    pub(crate) fn cli(&self) -> Vec<String> {
        let [user, password] = Self::ADMIN;
        let mut args: Vec<_> = ["--user", user, "--pass", password, "--no-auth-warning"].map(String::from).into();
        if let Some(authority) = self.certificates("ca.pem") {
            args.extend(["--tls".into(), "--cacert".into(), authority]);
        }
        args
    }

    /// The path of a file of the authority, if the servers speak TLS.
    fn certificates(&self, name: &str) -> Option<String> {
        Some(self.authority.as_ref()?.file(name).display().to_string())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}
