//! Which bytes of a block of nested arrays of numbers are JSON, by the bits of their classes.
//!
//! Strict as RFC 8259: what is not JSON, and all that is JSON but neither an array nor a number
//! literal, is trouble, which a careful reader has to look at.

use super::vector::Classes;

/// What the end of one block says to the next: each is 1 or 0 and stands at bit 0.
#[derive(Clone, Copy, Debug)]
pub struct Carry {
    /// A value is expected: the last byte that is not white space was `,` or `[`.
    value: u64,
    /// The last byte belonged to a number.
    number: u64,
    digit: u64,
    point: u64,
    exponent: u64,
    sign: u64,
    /// A sign that begins a number.
    first_sign: u64,
    /// A zero that may have no digit after it.
    leading_zero: u64,
    /// Digits after a point, behind which no other point can stand.
    after_point: u64,
    /// The sign of an exponent.
    exponent_sign: u64,
    /// Digits of an exponent.
    in_exponent: u64,
}

impl Carry {
    /// Before a block whose first byte may begin a value, and nothing else.
    pub const VALUE: Carry = Carry {
        value: 1,
        number: 0,
        digit: 0,
        point: 0,
        exponent: 0,
        sign: 0,
        first_sign: 0,
        leading_zero: 0,
        after_point: 0,
        exponent_sign: 0,
        in_exponent: 0,
    };

    /// Whether a value is expected next.
    pub fn expects_value(&self) -> bool {
        self.value == 1
    }
}

/// The tokens of a block.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// The first byte of each number, and the one after its last.
    pub edges: u64,
    /// The one after the last byte of each number.
    pub ends: u64,
    /// `[`
    pub open: u64,
    /// `[` and `]`
    pub brackets: u64,
    /// Whether a number has an exponent.
    pub exponents: bool,
    /// Bytes that are not what may stand there.
    pub trouble: u64,
}

/// Moves every bit to the byte after, the carry to the first one, and takes out the new carry.
#[inline(always)]
fn after(bits: u64, carry: &mut u64) -> u64 {
    let moved = bits << 1 | *carry;
    *carry = bits >> 63;
    moved
}

/// The byte behind each run of `digits` that begins at a bit of `starts` or has gone on since the
/// block before.
#[inline(always)]
fn behind(digits: u64, starts: u64, carry: &mut u64) -> u64 {
    let (sum, over) = digits.overflowing_add(starts & digits | *carry);
    *carry = u64::from(over);
    sum & !digits
}

/// Finds the tokens of a block, and what is wrong with them.
#[inline(always)]
pub fn tokens(classes: &Classes, carry: &mut Carry) -> Tokens {
    let Classes { digit, zero, point, minus, plus, exponent, space, comma, open, close } = *classes;
    let sign = minus | plus;
    let number = digit | point | sign | exponent;

    let after_number = after(number, &mut carry.number);
    let after_digit = after(digit, &mut carry.digit);
    let after_point = after(point, &mut carry.point);
    let after_exponent = after(exponent, &mut carry.exponent);
    let starts = number & !after_number;

    // Values stand behind `,` or `[`, and commas and `]` behind values, white space aside.
    let moved = (comma | open) << 1 | carry.value;
    let (run, over) = space.overflowing_add(moved & space);
    let value_expected = (moved | run) & !space;
    carry.value = u64::from(over) | (comma | open) >> 63;
    let known = number | space | comma | open | close;
    let mut trouble = !known | (starts | open) & !value_expected | (comma | close) & value_expected;

    // A number: an optional minus, digits without a leading zero, a point between digits.
    trouble |= point & !after_digit | after_point & !digit;
    trouble |= sign & after_number & !after_exponent | plus & !after_exponent;
    trouble |= after(sign, &mut carry.sign) & !digit;
    let first_digits = digit & (starts | after(starts & minus, &mut carry.first_sign));
    trouble |= digit & after(first_digits & zero, &mut carry.leading_zero);
    trouble |= point & behind(digit, after_point, &mut carry.after_point);

    // An exponent: one only, behind a digit, with an optional sign and digits alone.
    let exponents = exponent | after_exponent | carry.exponent_sign | carry.in_exponent != 0;
    if exponents {
        trouble |= exponent & !after_digit | after_exponent & !(digit | sign);
        let begins = after_exponent | after(after_exponent & sign, &mut carry.exponent_sign);
        trouble |= (point | exponent) & behind(digit, begins, &mut carry.in_exponent);
    }
    Tokens {
        edges: number ^ after_number,
        ends: after_number & !number,
        open,
        brackets: open | close,
        exponents,
        trouble,
    }
}
