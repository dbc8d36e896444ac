//! The mathematics: losses, their gradients, and how they run. Standard library only; no HTTP,
//! no serialization, no logging.

// The catalogue and what a loss is.
pub mod catalogue;
pub mod finder;
pub mod losses;
pub mod loss;
pub mod cancel;
pub mod card;
pub mod task;
pub mod profile;
pub mod args;
// One evaluation.
pub mod job;
pub mod tensor;
pub mod fault;
pub mod validate;
pub mod inspect;
pub mod drive;
pub mod reduce;
pub mod spare;
// The arithmetic below.
pub mod real;
pub mod dual;
pub mod verbs;
pub mod distance;
pub mod pairs;
pub mod regions;
pub mod math;
pub mod special;
pub mod simd;

#[cfg(test)]
mod tests;
