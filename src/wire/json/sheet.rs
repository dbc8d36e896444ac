//! `Sheet`: text that grows at its end, with room to write a whole array where a part of it is
//! meant.

/// Bytes that are written, and room behind them.
pub struct Sheet {
    /// As long as there is room.
    bytes: Vec<u8>,
    end: usize,
}

impl Sheet {
    /// An empty sheet with room for so many bytes.
    pub fn with_room(bytes: usize) -> Sheet {
        Sheet { bytes: vec![0; bytes], end: 0 }
    }

    /// The next bytes, at least so many, to be overwritten.
    #[inline(always)]
    pub fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.bytes.len() < self.end + bytes {
            self.grow(bytes);
        }
        &mut self.bytes[self.end..]
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        self.bytes.resize(2 * self.bytes.len() + more, 0);
    }

    /// Keeps so many of the bytes that were written into the room.
    #[inline(always)]
    pub fn keep(&mut self, bytes: usize) {
        self.end += bytes;
    }

    /// Appends a byte.
    #[inline(always)]
    pub fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.end += 1;
    }

    /// Takes the last byte away again.
    #[inline(always)]
    pub fn unpush(&mut self) {
        self.end -= 1;
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// What was written.
    pub fn into_text(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        bytes.truncate(self.end);
        bytes
    }
}
