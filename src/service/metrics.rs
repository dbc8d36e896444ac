//! Metrics: every one declared here, once. All series exist from the start, and no label takes a
//! value that a client chose, unless it is the name of a loss there is.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::numeric::catalogue;
use crate::numeric::simd::Level;

/// The stages of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Receiving the body.
    Read,
    /// For a thread to compute on.
    Wait,
    /// From the body to numbers.
    Decode,
    /// The loss itself.
    Evaluate,
    /// From numbers to the answer.
    Encode,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Stage; 5] =
        [Stage::Read, Stage::Wait, Stage::Decode, Stage::Evaluate, Stage::Encode];

    /// The name in labels and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Decode => "decode",
            Stage::Wait => "wait",
            Stage::Evaluate => "evaluate",
            Stage::Encode => "encode",
        }
    }
}

const SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// One metric as the documents show it.
pub struct Described {
    /// The name.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: &'static str,
    /// The labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

const fn described(
    name: &'static str,
    kind: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Described {
    Described { name, kind, labels, help }
}

/// Every metric of ours, for the registry and the documents.
pub const DESCRIBED: [Described; 17] = [
    described(
        "lossd_http_requests_total",
        "counter",
        &["route", "method", "status"],
        "Requests answered, by route, method and status.",
    ),
    described(
        "lossd_http_request_duration_seconds",
        "histogram",
        &["route"],
        "Time from the request's head to the answer's head, by route.",
    ),
    described(
        "lossd_stage_duration_seconds",
        "histogram",
        &["stage"],
        "Time that evaluations spend in each stage.",
    ),
    described("lossd_evaluations_total", "counter", &["loss"], "Losses evaluated."),
    described("lossd_rows_total", "counter", &["loss"], "Leading indices of evaluated batches."),
    described(
        "lossd_elements_total",
        "counter",
        &["loss"],
        "Numbers in the inputs of evaluated batches.",
    ),
    described("lossd_http_requests_in_flight", "gauge", &[], "Requests being answered."),
    described("lossd_jobs_in_flight", "gauge", &[], "Places for work that are taken."),
    described("lossd_jobs_limit", "gauge", &[], "Places for work that there are."),
    described("lossd_refusals_total", "counter", &["reason"], "Requests refused, by problem code."),
    described(
        "lossd_build_info",
        "gauge",
        &["version", "revision", "simd"],
        "1, with the version, the revision and the CPU level in its labels.",
    ),
    described("lossd_connections", "gauge", &[], "Connections that are open."),
    described(
        "lossd_connections_ended_total",
        "counter",
        &["reason"],
        "Connections that have ended, by how.",
    ),
    described(
        "lossd_memory_charged_bytes",
        "gauge",
        &[],
        "Memory that requests and their answers are charged for.",
    ),
    described("lossd_memory_limit_bytes", "gauge", &[], "Memory that they may take."),
    described(
        "lossd_key_requests_total",
        "counter",
        &["key"],
        "Requests that presented a valid API key, by the key's name.",
    ),
    described(
        "lossd_key_cost_units_total",
        "counter",
        &["key"],
        "Cost units, which are numbers in the inputs, that were charged to an API key.",
    ),
];

/// Every metric.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    /// Those of evaluations that were answered, nearly all, which need not be looked for.
    usual: (IntCounter, Histogram),
    stages: [Histogram; Stage::ALL.len()],
    /// Evaluations, rows and elements of each loss.
    losses: HashMap<&'static str, [IntCounter; 3]>,
    /// Requests being answered.
    pub requests_in_flight: IntGauge,
    /// Places for work that are taken.
    pub jobs_in_flight: IntGauge,
    refusals: IntCounterVec,
    /// Connections that are open.
    pub connections: IntGauge,
    connection_ends: IntCounterVec,
    /// Memory that requests are charged for.
    pub memory_charged: IntGauge,
    /// Requests and cost units of each key.
    keys: [IntCounterVec; 2],
}

/// The route of evaluations.
pub const EVALUATION: &str = "/loss/{name}";
/// The labels of an evaluation that was answered.
const USUAL: [&str; 3] = [EVALUATION, "POST", "200"];

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The git revision that the program was built from.
pub const REVISION: &str = env!("LOSSD_REVISION");

impl Metrics {
    /// All metrics, with every series of losses and stages at zero.
    pub fn new(level: Level, jobs_limit: usize, memory_limit: usize) -> Metrics {
        let registry = Registry::new();
        let (requests, durations, stages) = (counters(0), histograms(1), histograms(2));
        let of_losses = [counters(3), counters(4), counters(5)];
        let mut metrics = Metrics {
            usual: (requests.with_label_values(&USUAL), durations.with_label_values(&[EVALUATION])),
            requests,
            durations,
            stages: Stage::ALL.map(|stage| stages.with_label_values(&[stage.name()])),
            losses: HashMap::new(),
            requests_in_flight: gauge(6),
            jobs_in_flight: gauge(7),
            refusals: counters(9),
            connections: gauge(11),
            connection_ends: counters(12),
            memory_charged: gauge(13),
            keys: [counters(15), counters(16)],
            registry,
        };
        let limit = gauge(8);
        limit.set(jobs_limit as i64);
        let memory = gauge(14);
        memory.set(memory_limit as i64);
        let build = IntGaugeVec::new(opts(10), DESCRIBED[10].labels).expect("valid metric");
        build.with_label_values(&[VERSION, REVISION, level.name()]).set(1);
        let collectors: [Box<dyn Collector>; 17] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.durations.clone()),
            Box::new(stages),
            Box::new(of_losses[0].clone()),
            Box::new(of_losses[1].clone()),
            Box::new(of_losses[2].clone()),
            Box::new(metrics.requests_in_flight.clone()),
            Box::new(metrics.jobs_in_flight.clone()),
            Box::new(limit),
            Box::new(metrics.refusals.clone()),
            Box::new(build),
            Box::new(metrics.connections.clone()),
            Box::new(metrics.connection_ends.clone()),
            Box::new(metrics.memory_charged.clone()),
            Box::new(memory),
            Box::new(metrics.keys[0].clone()),
            Box::new(metrics.keys[1].clone()),
        ];
        for collector in collectors {
            metrics.registry.register(collector).expect("every metric has a name of its own");
        }
        #[cfg(target_os = "linux")]
        metrics
            .registry
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
            .expect("the process metrics have names of their own");
        for loss in catalogue::all() {
            let name = loss.card.name;
            let series = of_losses.each_ref().map(|vec| vec.with_label_values(&[name]));
            metrics.losses.insert(name, series);
        }
        metrics
    }

    /// Makes the series of a route that answers with these statuses.
    pub fn expect_route(&self, route: &str, method: &str, statuses: &[u16]) {
        self.durations.with_label_values(&[route]);
        for status in statuses {
            self.requests.with_label_values(&[route, method, &status.to_string()]);
        }
    }

    /// Makes the series of a reason to refuse.
    pub fn expect_refusal(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]);
    }

    /// Makes the series of a way in which connections end.
    pub fn expect_connection_end(&self, reason: &str) {
        self.connection_ends.with_label_values(&[reason]);
    }

    /// Counts a connection that has ended.
    pub fn connection_ended(&self, reason: &str) {
        self.connection_ends.with_label_values(&[reason]).inc();
    }

    /// The requests and the cost units of a key: its series are there from now on.
    pub fn of_key(&self, name: &str) -> [IntCounter; 2] {
        self.keys.each_ref().map(|vec| vec.with_label_values(&[name]))
    }

    /// Counts an answered request.
    pub fn answered(&self, route: &str, method: &str, status: &str, took: Duration) {
        let labels = [route, method, status];
        if labels == USUAL {
            self.usual.0.inc();
            self.usual.1.observe(took.as_secs_f64());
        } else {
            self.requests.with_label_values(&labels).inc();
            self.durations.with_label_values(&[route]).observe(took.as_secs_f64());
        }
    }

    /// Counts a refused request.
    pub fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// Counts an evaluated batch.
    pub fn evaluated(&self, loss: &str, rows: usize, elements: usize) {
        let [evaluations, of_rows, of_elements] = &self.losses[loss];
        evaluations.inc();
        of_rows.inc_by(rows as u64);
        of_elements.inc_by(elements as u64);
    }

    /// Notes how long a stage took.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages[stage as usize].observe(took.as_secs_f64());
    }

    /// Everything in Prometheus's text format.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

fn opts(place: usize) -> Opts {
    Opts::new(DESCRIBED[place].name, DESCRIBED[place].help)
}

fn counters(place: usize) -> IntCounterVec {
    IntCounterVec::new(opts(place), DESCRIBED[place].labels).expect("valid metric")
}

fn gauge(place: usize) -> IntGauge {
    IntGauge::with_opts(opts(place)).expect("valid metric")
}

fn histograms(place: usize) -> HistogramVec {
    let described = &DESCRIBED[place];
    let opts = HistogramOpts::new(described.name, described.help).buckets(SECONDS.to_vec());
    HistogramVec::new(opts, described.labels).expect("valid metric")
}
