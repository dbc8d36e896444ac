//! See `src/wire/fuzz/number.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lossd::wire::fuzz::number::check(input));
