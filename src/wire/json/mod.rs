//! JSON, in and out.

pub mod answer;
pub mod cursor;
mod decimal;
mod grammar;
mod nesting;
pub mod number;
pub mod print;
pub mod request;
pub(super) mod scan;
pub mod sheet;
mod strip;
pub(super) mod tensor;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;
