//! JSON, in and out.

pub mod answer;
pub mod cursor;
pub mod number;
pub mod request;
pub mod tensor;
