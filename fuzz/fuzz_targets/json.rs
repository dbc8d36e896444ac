//! See `src/wire/fuzz/json.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lossd::wire::fuzz::json::check(input));
