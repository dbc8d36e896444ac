//! See `src/wire/fuzz/query.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lossd::wire::fuzz::query::check(input));
