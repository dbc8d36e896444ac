//! JSON, in and out.

pub mod answer;
pub mod cursor;
mod grammar;
mod nesting;
pub mod number;
pub mod request;
mod scan;
mod strip;
mod tensor;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;
