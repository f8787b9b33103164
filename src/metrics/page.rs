//! The metrics as text.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{prometheus_text, text},
    registry::Registry,
};

/// How the text is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus.
    Prometheus,
}

/// Writes the metrics of a replica.
#[derive(Debug)]
pub struct Page(Registry);

impl Format {
    /// The format that a client accepts. OpenMetrics has to be asked for.
    pub fn accepted(accept: &str) -> Self {
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// The type of the text, for the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Page {
    /// A page of what was counted, and of what is looked at each time that somebody reads the page.
    pub fn new(counted: impl FnOnce(&mut Registry), gauges: impl Collector) -> Self {
        let mut registry = Registry::default();
        counted(&mut registry);
        registry.register_collector(Box::new(gauges));
        Self(registry)
    }

    /// The text.
    pub fn text(&self, format: Format) -> Result<String, fmt::Error> {
        let mut page = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut page, &self.0)?,
            Format::Prometheus => prometheus_text::encode(&mut page, &self.0)?,
        }
        Ok(page)
    }
}
