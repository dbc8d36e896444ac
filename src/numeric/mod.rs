//! The mathematics: losses, their gradients, and how they run. Standard library only; no HTTP,
//! no serialization, no logging.

pub mod catalogue;
pub mod loss;
pub mod losses;
pub mod card;
pub mod args;
pub mod job;
pub mod tensor;
pub mod fault;
pub mod drive;
pub mod reduce;
pub mod validate;
pub mod inspect;
pub mod real;
pub mod verbs;
pub mod math;
pub mod simd;
#[cfg(test)]
pub(crate) mod dual;
#[cfg(test)]
mod tests;
