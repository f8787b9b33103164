//! Metrics that differ by their labels. Each is found by a number instead of by its labels, so that to count costs no
//! hashing, and all are there from the start, at zero.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{MetricType, TypedMetric},
};

/// The labels of a metric: names and values.
pub type Labels = Vec<(&'static str, &'static str)>;

/// Metrics of one name, each with its labels.
#[derive(Clone, Debug)]
pub struct Table<M>(Vec<(Labels, M)>);

impl<M> Table<M> {
    /// A metric for each of these labels. The number of a metric is its place.
    pub fn new(labels: impl IntoIterator<Item = Labels>, metric: impl Fn() -> M) -> Self {
        Self(labels.into_iter().map(|labels| (labels, metric())).collect())
    }

    /// The metric with this number; nothing if there is none.
    pub fn get(&self, number: usize) -> Option<&M> {
        self.0.get(number).map(|(_, metric)| metric)
    }
}

impl<M: EncodeMetric + TypedMetric> EncodeMetric for Table<M> {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        for (labels, metric) in &self.0 {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}
