//! What is looked at each time that somebody reads the metrics.

use std::{
    fmt,
    fs::{read_dir, read_to_string},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use tokio::sync::watch;

use super::tls::Certificate;
use crate::{access::Current, logging, service::Service, store::Store};

/// What a replica is and does now.
pub struct Gauges {
    /// The locks.
    pub store: Arc<Store>,
    /// The use cases.
    pub service: Arc<Service>,
    /// What API keys allow.
    pub access: Option<Arc<Current>>,
    /// The certificate in force, if this replica serves HTTPS.
    pub certificate: Option<watch::Receiver<Arc<Certificate>>>,
    /// When the process began.
    pub started: SystemTime,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Gauges")
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Writer(&mut encoder);
        let Self { store, service, access, certificate, .. } = self;
        let (up, draining) = (store.is_connected(), service.is_draining());
        page.gauge("gorilla_waiters", "Requests that wait for a lock at this replica", store.waiting() as f64)?;
        page.gauge("gorilla_listeners", "Clients that are told of events", service.listeners() as f64)?;
        page.gauge("gorilla_redis_up", "Whether there is a usable connection to Redis", f64::from(up))?;
        page.gauge("gorilla_redis_in_flight", "Requests that wait for Redis", store.in_flight() as f64)?;
        let help = "For how long new grants wait, because Redis may have lost data";
        page.gauge("gorilla_recovering_seconds", help, store.recovering().as_secs_f64())?;
        let help = "Acquires that are being undone";
        page.gauge("gorilla_cancellations_pending", help, store.cancellations().pending() as f64)?;
        page.gauge(
            "gorilla_ready",
            "Whether load balancers should send requests",
            f64::from(up && !draining && service.keeps_records()),
        )?;
        page.gauge("gorilla_draining", "Whether the replica is about to end", f64::from(draining))?;
        page.counter("gorilla_log_lines_lost", "Log lines that were dropped", logging::lines_lost())?;
        let generation = access.as_ref().map_or(0, |access| access.generation());
        page.gauge("gorilla_access_generation", "The generation of the access file", generation as f64)?;
        let help = "Contents of the access file that were wrong or could not be read";
        let refused = access.as_ref().map_or(0, |access| access.refused());
        page.counter("gorilla_access_reload_failures", help, refused)?;
        let help = "When the TLS certificate ends to be valid, in seconds since 1970; 0 without one";
        let expires = certificate.as_ref().map_or(0, |certificate| certificate.borrow().expires);
        page.gauge("gorilla_tls_certificate_expiry_timestamp_seconds", help, expires as f64)?;
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        page.labelled("gorilla_build_info", "The version", &[(build.to_vec(), 1.0)])?;
        if let Some(access) = access {
            let access = access.load();
            let expiries = access.identities().filter_map(|identity| Some((identity, identity.expires?)));
            let expiries: Vec<_> =
                expiries.map(|(identity, at)| (vec![("key", identity.name.as_str())], since_1970(at))).collect();
            let help = "When an API key ends to be valid, in seconds since 1970";
            page.labelled("gorilla_key_expiry_timestamp_seconds", help, &expiries)?;
        }
        self.process(&mut page)
    }
}

impl Gauges {
    /// What is the same for programs of all kinds. Left out where the kernel does not say.
    fn process(&self, page: &mut Writer) -> fmt::Result {
        let help = "When the process began, in seconds since 1970";
        page.gauge("process_start_time_seconds", help, since_1970(self.started))?;
        let usage = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        page.gauge("process_max_fds", "Files that may be open", usage.unwrap_or(u64::MAX) as f64)?;
        if let Ok(files) = read_dir("/proc/self/fd") {
            page.gauge("process_open_fds", "Open files", files.count() as f64)?;
        }
        let pages = read_to_string("/proc/self/statm").unwrap_or_default();
        let mut pages = pages.split(' ').filter_map(|pages| pages.parse::<u64>().ok());
        let size = rustix::param::page_size() as u64;
        if let (Some(all), Some(resident)) = (pages.next(), pages.next()) {
            page.gauge("process_virtual_memory_bytes", "Virtual memory", (all * size) as f64)?;
            page.gauge("process_resident_memory_bytes", "Resident memory", (resident * size) as f64)?;
        }
        // The name of the program, in parentheses, may have spaces.
        let stat = read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok());
        if let (Some(user), Some(system)) = (ticks(11), ticks(12)) {
            let seconds = (user + system) as f64 / rustix::param::clock_ticks_per_second() as f64;
            page.counter("process_cpu_seconds", "Time of processors, in seconds", seconds)?;
        }
        Ok(())
    }
}

/// Writes metrics that nobody keeps.
struct Writer<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Writer<'_, '_> {
    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counter<N>(&mut self, name: &str, help: &str, value: N) -> fmt::Result
    where
        ConstCounter<N>: EncodeMetric,
    {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn labelled(&mut self, name: &str, help: &str, all: &[(Vec<(&str, &str)>, f64)]) -> fmt::Result {
        if all.is_empty() {
            return Ok(());
        }
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in all {
            ConstGauge::new(*value).encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }
}

fn since_1970(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
