//! Numbers read from JSON and written to it, against the standard library's parser.

use std::thread;

use super::cursor::Cursor;
use super::scan::{Ahead, Scanner};
use super::tensor::read;
use crate::numeric::simd::Level;
use crate::wire::fuzz::number::agree;

/// A generator of pseudo-random bits (Marsaglia, "Xorshift RNGs", 2003).
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn single(&mut self) -> f32 {
        loop {
            let x = f32::from_bits(self.next() as u32);
            if x.is_finite() {
                return x;
            }
        }
    }

    /// A number of ordinary size.
    fn ordinary(&mut self) -> f32 {
        (self.next() as i64 as f64 / (1u64 << 61) as f64) as f32
    }
}

/// Ways in which numbers are written.
const SHAPES: [fn(&mut Bits) -> String; 12] = [
    |bits| format!("{:?}", bits.single()),
    |bits| format!("{:?}", bits.ordinary()),
    |bits| format!("{:.17e}", f64::from(bits.single())),
    |bits| format!("{}", f64::from(bits.ordinary())),
    |bits| format!("{:?}", f64::from(bits.ordinary()) * 1e-6),
    |bits| format!("{:.6}", bits.ordinary()),
    // Just on, above and below the midpoint of two floats.
    |bits| {
        let x = bits.ordinary();
        let midpoint = f64::midpoint(f64::from(x), f64::from(x.next_up()));
        let nudge = [0, 1, u64::MAX][(bits.next() % 3) as usize];
        format!("{:.24}", f64::from_bits(midpoint.to_bits().wrapping_add(nudge)))
    },
    // Next to the least normal number, and below it.
    |bits| format!("{:e}", f32::from_bits(bits.next() as u32 & 0x80ff_ffff)),
    |bits| format!("{}", bits.next() as i64 >> (bits.next() % 64)),
    |bits| format!("{}E+0{}", bits.next() % 1000, bits.next() % 10),
    |bits| format!("-0.{:0width$}", bits.next(), width = (bits.next() % 40) as usize),
    |bits| format!("{}e-{}", bits.next() as u32, bits.next() % 120),
];

fn agree_on(lists: usize) {
    let mut bits = Bits(0x2545_f491_4f6c_dd1d);
    for list in 0..lists {
        let length = 1 + bits.next() as usize % 1500;
        // Every other list is of one shape, as real ones are; the others mix them.
        let shape = SHAPES[(list / 2) % SHAPES.len()];
        let literal = |_| match list % 2 {
            0 => shape(&mut bits),
            _ => SHAPES[(bits.next() % SHAPES.len() as u64) as usize](&mut bits),
        };
        let literals: Vec<String> = (0..length).map(literal).collect();
        let separator = [",", ", ", "\n ,\t"][list % 3];
        agree::<f32>(&literals, separator);
        agree::<f64>(&literals, separator);
    }
}

#[test]
fn numbers_of_all_shapes_are_correctly_rounded() {
    agree_on(600);
}

#[test]
fn marks_of_exponents_are_found_wherever_they_stand() {
    // Every byte of the first blocks is once that of an `e`, beside literals that are left out.
    for spaces in 0..80 {
        let long = format!("0.{:040}e-3", 7);
        let text = ["1e5", "-2.5E-07", &long, "1.5e+300", "3e0000001", "12e+3", "4.5"];
        let literals: Vec<String> = text.iter().cycle().take(70).map(|&x| x.into()).collect();
        let separator = format!(",{:spaces$}", "");
        agree::<f64>(&literals, &separator);
    }
}

/// `cargo test --release --lib -- --ignored numbers_by_the_hundred_million`
#[test]
#[ignore = "takes a quarter of an hour"]
fn numbers_by_the_hundred_million_are_correctly_rounded() {
    agree_on(400_000);
}

/// What a reader at a level makes of a text with so many threads: the bits of the tensor and the
/// place after it, or the problem; and the number that is too large.
fn outcome(text: &[u8], level: Level, threads: usize) -> String {
    let mut cursor = Cursor::new(text);
    let mut overflow = None;
    let tensor = thread::scope(|scope| {
        let mut ahead = Ahead::<f32>::start(scope, text, level, threads);
        let mut scanner = Scanner::new(level);
        read(&mut cursor, &mut scanner, Some(&mut ahead), "/targets", true, &mut overflow)
    });
    let tensor = tensor.map(|tensor| {
        let bits: Vec<u32> = tensor.values.iter().map(|x| x.to_bits()).collect();
        (tensor.shape, bits, tensor.missing, cursor.place())
    });
    let shown = |problem: &crate::wire::problem::Problem| {
        format!("{} {} {:?}", problem.code.code(), problem.detail, problem.pointer)
    };
    match tensor {
        Ok(tensor) => format!("{tensor:?} {:?}", overflow.as_ref().map(shown)),
        Err(problem) => shown(&problem),
    }
}

#[test]
fn whatever_is_wrong_is_found_at_every_level_as_the_careful_reader_finds_it() {
    let mut bits = Bits(0x9e37_79b9_7f4a_7c15);
    for round in 0..4000 {
        let (rows, columns) = (1 + bits.next() % 40, 1 + bits.next() % 40);
        let separator = [",", ", ", " ,\n  "][round % 3];
        let shape = SHAPES[round % SHAPES.len()];
        let row = |bits: &mut Bits| {
            let row: Vec<String> = (0..columns).map(|_| shape(bits)).collect();
            format!("[{}]", row.join(separator))
        };
        let rows: Vec<String> = (0..rows).map(|_| row(&mut bits)).collect();
        let mut text = format!("[{}], \"next\": [1, 2]}}{:1000}", rows.join(separator), "");
        for _ in 0..bits.next() % 3 {
            let at = bits.next() as usize % (text.len() - 1000);
            let odd = *[
                "",
                ".",
                "-",
                "+",
                "e",
                "E5",
                ",",
                "[",
                "]",
                "[]",
                " ",
                "0",
                "00",
                "7",
                "null",
                "NaN",
                "\"NaN\"",
                "true",
                "\"",
                "{",
                "1e99",
                "-Infinity",
                "\u{e9}",
                "\0",
                "]]",
                "[[",
            ]
            .get(bits.next() as usize % 26)
            .unwrap();
            text.replace_range(at..at + (bits.next() % 2) as usize, odd);
        }
        let careful = outcome(text.as_bytes(), Level::Baseline, 1);
        for &level in Level::available() {
            for threads in [1, 2, 5] {
                let got = outcome(text.as_bytes(), level, threads);
                assert_eq!(got, careful, "{} {threads} {text}", level.name());
            }
        }
    }
}
