//! Suites over the whole catalogue: a new loss is in them without a line here.

/// Batches drawn from the domains in the cards.
mod draw;

/// The elementary functions keep their error bounds.
mod accuracy;
/// Every number type, CPU level and number of threads gives the same.
mod agreement;
/// Nothing is too strange to be answered.
mod extremes;
/// Every gradient is the derivative of its loss.
mod gradients;
/// Work that nobody waits for ends early.
mod stopping;
