//! What Prometheus sees.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// All metrics of the operator.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// `zato_operator_requests_total{method}`: requests to the API server, watches included.
    pub requests: Family<Method, Counter>,
    /// `zato_operator_reconciles_total{kind,outcome}`: outcome is `ok` or the reason of the error.
    pub reconciles: Family<Reconcile, Counter>,
    /// `zato_operator_reconcile_seconds{kind}`.
    pub seconds: Family<Kind, Histogram, fn() -> Histogram>,
    /// `zato_operator_is_leader`: 1 or 0.
    pub is_leader: Gauge,
}

/// An HTTP method.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Method {
    /// GET, POST, PUT, PATCH, DELETE.
    pub method: String,
}

/// A kind of object.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Kind {
    /// ZatoCluster or ZatoService.
    pub kind: String,
}

/// How a reconcile ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Reconcile {
    /// ZatoCluster or ZatoService.
    pub kind: String,
    /// `ok`, `Timeout`, or the reason that `Ready` got.
    pub outcome: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        Self {
            requests: Family::default(),
            reconciles: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            is_leader: Gauge::default(),
        }
    }
}

impl Metrics {
    /// The text that /metrics answers.
    pub fn encode(&self) -> String {
        let mut registry = Registry::with_prefix("zato_operator");
        registry.register("requests", "Requests to the API server", self.requests.clone());
        registry.register("reconciles", "Reconciles by outcome", self.reconciles.clone());
        registry.register("reconcile_seconds", "Time of one reconcile", self.seconds.clone());
        registry.register("is_leader", "Whether this replica acts", self.is_leader.clone());
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }

    /// Counts one reconcile.
    pub fn reconciled(&self, kind: &str, outcome: &str, seconds: f64) {
        let labels = Reconcile {
            kind: kind.into(),
            outcome: outcome.into(),
        };
        self.reconciles.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&Kind { kind: kind.into() })
            .observe(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_metric() {
        let metrics = Metrics::default();
        metrics.reconciled("ZatoCluster", "ok", 0.02);
        metrics
            .requests
            .get_or_create(&Method {
                method: "PATCH".into(),
            })
            .inc();
        let text = metrics.encode();
        for line in [
            "zato_operator_requests_total{method=\"PATCH\"} 1",
            "zato_operator_reconciles_total{kind=\"ZatoCluster\",outcome=\"ok\"} 1",
            "zato_operator_reconcile_seconds_count{kind=\"ZatoCluster\"} 1",
            "zato_operator_is_leader 0",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
    }
}
