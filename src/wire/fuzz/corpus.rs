//! The committed corpus of a target, and what becomes of it when it is cut, repeated, moved and
//! mixed with what readers trip over: the same in every run.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// Inputs of a target.
pub struct Corpus(Vec<Vec<u8>>);

impl Corpus {
    /// The files that are committed for a target.
    pub fn read(target: &str) -> Corpus {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        Corpus::of(paths.into_iter().map(|path| fs::read(path).unwrap()))
    }

    /// These inputs.
    pub fn of(inputs: impl Iterator<Item = Vec<u8>>) -> Corpus {
        let inputs: Vec<_> = inputs.collect();
        assert!(!inputs.is_empty());
        Corpus(inputs)
    }

    /// Checks every input, and so many mutations of them.
    pub fn mutate(&self, tokens: &[&[u8]], mutations: usize, check: fn(&[u8])) {
        let shown_if_wrong = |input: &[u8]| {
            catch_unwind(|| check(input))
                .unwrap_or_else(|_| panic!("the input was \"{}\"", input.escape_ascii()));
        };
        for input in &self.0 {
            shown_if_wrong(input);
        }
        let mut random = Random(1);
        for input in self.0.iter().cycle().take(mutations) {
            shown_if_wrong(&mutated(input, tokens, &mut random));
        }
    }
}

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // Steele, Lea and Flood's SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit.max(1) as u64) as usize
    }
}

/// Some changes, each of which cuts, repeats, flips or puts in.
fn mutated(input: &[u8], tokens: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(3) {
        let (a, b) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let (start, end) = (a.min(b), a.max(b).min(a.min(b) + 40));
        match random.below(6) {
            0 => bytes.truncate(start),
            1 => drop(bytes.drain(start..end)),
            2 => {
                let part = bytes[start..end].to_vec();
                bytes.splice(end..end, part);
            }
            3 if start < bytes.len() => bytes[start] ^= 1 << random.below(8),
            4 if start < bytes.len() => bytes[start] = random.below(256) as u8,
            _ => {
                let token = tokens[random.below(tokens.len())];
                bytes.splice(start..start, token.iter().copied());
            }
        }
    }
    bytes
}

/// What readers of JSON trip over.
pub const JSON: [&[u8]; 32] = [
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"null",
    b"true",
    b"NaN",
    b"-",
    b"-0",
    b"1e999",
    b"-1e-999",
    b"1e39",
    b"0.1e",
    b"00",
    b"+1",
    b".5",
    b"1.",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"[[[[[[[[[[[[",
    b"99999999999999999999",
    b"\"x\":",
    b"9007199254740993",
    b"\n*300 ",
];
