//! lossd, the loss-function server.
//!
//! Three layers, each knowing only those below it: [`wire`] is HTTP and formats, [`service`] is
//! the use of the mathematics, [`numeric`] is the mathematics. [`config`] is a value that all but
//! the mathematics may read, and [`cli`] puts the parts together.

pub mod cli;
pub mod config;
pub mod wire;
pub mod service;
pub mod numeric;
