//! A real Prometheus, as the compose file starts it.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
};

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use super::project;
use crate::harness::Process;

/// Where the configuration of the compose file finds the replicas. The names of compose mean nothing here.
const REPLICAS_OF_COMPOSE: &str = "    dns_sd_configs:
      - names: [gorilla]
        type: A
        port: 4001
        refresh_interval: 5s
";

/// A Prometheus with the configuration and the alerts of `deploy/prometheus`, on a port of its own.
pub struct Prometheus {
    address: String,
    client: Client,
    _process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// A Prometheus that reads the metrics of the replica at this address, ten times as often as the one in compose.
    pub fn of(replica: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let configuration = fs::read_to_string(project("deploy/prometheus/prometheus.yml")).expect("the configuration");
        assert!(configuration.contains(REPLICAS_OF_COMPOSE), "the test knows how replicas are found");
        let here = format!("    static_configs:\n      - targets: ['{replica}']\n");
        let configuration = configuration.replace(REPLICAS_OF_COMPOSE, &here).replace("15s", "1s");
        fs::write(folder.path().join("prometheus.yml"), configuration).expect("a file");
        fs::copy(project("deploy/prometheus/alerts.yml"), folder.path().join("alerts.yml")).expect("the alerts");
        let mut command = Command::new("prometheus");
        command
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process =
            Process::spawn(&mut command).expect("prometheus is in PATH; tests/install-prometheus installs it");
        let mut log = BufReader::new(process.child.stderr.take().expect("its standard error is piped")).lines();
        let mut said = String::new();
        let address = loop {
            let line = log.next().unwrap_or_else(|| panic!("Prometheus ended: {said}")).expect("text");
            let address = line.contains("Listening on").then(|| line.split("address=").nth(1)).flatten();
            if let Some(address) = address.and_then(|rest| rest.split_whitespace().next()) {
                break address.to_string();
            }
            said += &(line + "\n");
        };
        // A pipe that nobody reads would stop it.
        thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        // reqwest is compiled with TLS and wants a provider of TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        Self { address, client, _process: process, _folder: folder }
    }

    /// The `data` of an answer of its interface, or why it has none.
    pub async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let mut url = url::Url::parse(&format!("http://{}/api/v1/{path}", self.address)).expect("a URL");
        url.query_pairs_mut().extend_pairs(parameters);
        let answer = self.client.get(url).send().await.map_err(|error| error.to_string())?;
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        match answer["status"] == "success" {
            true => Ok(answer["data"].take()),
            false => Err(answer.to_string()),
        }
    }

    /// What an expression has as its value now: series with their labels.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let mut data = self.ask("query", &[("query", expression)]).await?;
        match data["result"].take() {
            Value::Array(series) => Ok(series),
            other => Err(format!("no series: {other}")),
        }
    }
}
