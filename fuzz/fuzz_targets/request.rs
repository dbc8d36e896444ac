//! See `src/wire/fuzz/request.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lossd::wire::fuzz::request::check(input));
