//! `Cursor`: a place in a JSON text, and the small steps over its tokens. Strict as RFC 8259 is,
//! without recursion and without looking twice.

use std::borrow::Cow;

use crate::wire::problem::{Code, Problem};

/// A place in a JSON text.
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a text.
    pub fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    /// The byte here, after white space; none at the end.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Steps over the byte here.
    #[inline]
    pub fn step(&mut self) {
        self.at += 1;
    }

    /// Steps over a byte if it is the one here, after white space.
    pub fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Steps over a byte that must be here.
    pub fn expect(&mut self, byte: u8, place: &str) -> Result<(), Problem> {
        if self.take(byte) {
            return Ok(());
        }
        Err(self.malformed(&format!("expected `{}` {place}", byte as char)))
    }

    /// The whole text.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The place in the text.
    pub fn place(&self) -> usize {
        self.at
    }

    /// Goes to a place in the text.
    pub fn go_to(&mut self, place: usize) {
        self.at = place;
    }

    /// What is left of the text.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Steps over so many bytes.
    #[inline]
    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Steps over a word if it is here and ends here.
    pub fn take_word(&mut self, word: &str) -> bool {
        let Some(after) = self.rest().strip_prefix(word.as_bytes()) else { return false };
        let ends = !after.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        self.at += if ends { word.len() } else { 0 };
        ends
    }

    /// A string, without its quotes and escapes.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Problem> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("expected a string"));
        }
        let start = self.at;
        let mut end = start + 1;
        let mut plain = true;
        loop {
            match self.text.get(end) {
                None => {
                    self.at = self.text.len();
                    return Err(self.malformed("the string does not end"));
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    plain = false;
                    end += 2;
                }
                Some(_) => end += 1,
            }
        }
        let token = &self.text[start..=end];
        let Ok(token) = str::from_utf8(token) else {
            return Err(self.malformed("the string is not valid UTF-8"));
        };
        let string = if plain && !token.bytes().any(|byte| byte < 0x20) {
            Cow::Borrowed(&token[1..token.len() - 1])
        } else {
            let string: String = serde_json::from_str(token).map_err(|_| {
                self.malformed("the string has a bad escape or a control character")
            })?;
            Cow::Owned(string)
        };
        self.at = end + 1;
        Ok(string)
    }

    /// Refuses anything but white space after the end of the value.
    pub fn end(&mut self) -> Result<(), Problem> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.malformed("there is more after the end of the object")),
        }
    }

    /// The text is not JSON here.
    #[cold]
    pub fn malformed(&self, what: &str) -> Problem {
        let at = self.at.min(self.text.len());
        let seen = match self.text.get(at) {
            None => "the body ends there".to_owned(),
            Some(byte) if byte.is_ascii_graphic() => format!("found `{}`", *byte as char),
            Some(byte) => format!("found the byte {byte:#04x}"),
        };
        Problem::new(Code::MalformedJson, format!("{what} at byte {at}, but {seen}"))
    }
}
