//! See `src/wire/fuzz/coding.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lossd::wire::fuzz::coding::check(input));
