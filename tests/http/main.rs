//! The server from outside: requests in, answers out. In process, but for `socket`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod harness;

/// Every loss against values from other programs: add a file of cases under `tests/golden/`.
mod golden;
