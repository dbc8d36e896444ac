//! The server from outside: requests in, answers out. In process, but for `socket`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;
mod harness;

/// Every loss against values from other programs: add a file of cases under `tests/golden/`.
mod golden;
/// What an answer holds: outputs, reductions, weights, missing labels, formats of numbers.
mod answers;
/// Malformed and wrong requests of every kind, and what they are told.
mod bad_input;
/// The worked examples of the field, by hand.
mod examples;
/// Corners where an answer was once wrong.
mod corners;
/// Connections under slow, broken and hostile clients.
mod connections;
/// Compressed bodies and answers.
mod encodings;
/// The other routes: catalogue, documents, health, version.
mod interface;
/// API keys: who is admitted, for what, and how much of it.
mod keys;
/// Limits, headers and what surrounds a request.
mod limits;
/// Prometheus series.
mod metrics;
/// The commands of the README, and what they print.
mod readme;
/// The few tests that need a real port and a real process.
mod running;
mod socket;
/// TLS and HTTP/2.
mod tls;
/// Warnings about inputs that are valid and look wrong.
mod warnings;
