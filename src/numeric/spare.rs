//! Spare buffers: large ones are kept for the next job, because touching fresh memory costs several
//! times what a kernel does, and given back to the system when nobody has used them for a while.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::simd::Number;

/// Smaller buffers are the allocator's business: it reuses them by itself.
const LEAST_BYTES: usize = 1 << 17;
/// How many buffers of one type are kept, and how many bytes they have in all.
const KEPT: usize = 8;
const KEPT_BYTES_MAX: usize = 1 << 28;

/// Bytes of requests.
pub static BYTES: Spare<u8> = Spare::new();
/// Numbers in single precision.
pub static SINGLES: Spare<f32> = Spare::new();
/// Numbers in double precision.
pub static DOUBLES: Spare<f64> = Spare::new();

/// How many bytes are kept of each type.
static KEPT_BYTES: AtomicUsize = AtomicUsize::new(KEPT_BYTES_MAX);

/// Keeps no more than so many bytes of each type from now on.
pub fn keep_at_most(bytes: usize) {
    KEPT_BYTES.store(bytes.min(KEPT_BYTES_MAX), Ordering::Relaxed);
}

/// Frees every buffer that has not been used for so long.
pub fn release(unused_for: Duration) {
    BYTES.release(unused_for);
    SINGLES.release(unused_for);
    DOUBLES.release(unused_for);
}

/// A buffer of that length. What it holds is left from before, or zeros.
pub fn stale<T: Number>(length: usize) -> Vec<T> {
    T::spare().map_or_else(|| vec![T::default(); length], |spare| spare.stale(length))
}

/// An empty buffer with room for so many numbers, if one is kept.
pub fn empty<T: Number>(room: usize) -> Option<Vec<T>> {
    T::spare()?.empty(room)
}

/// Keeps a buffer for later.
pub fn give<T: Number>(buffer: Vec<T>) {
    if let Some(spare) = T::spare() {
        spare.give(buffer);
    }
}

/// The spare buffers of one type.
#[derive(Debug)]
pub struct Spare<T> {
    kept: Mutex<Vec<(Instant, Vec<T>)>>,
}

impl<T: Copy + Default> Spare<T> {
    const fn new() -> Spare<T> {
        Spare { kept: Mutex::new(Vec::new()) }
    }

    /// A buffer of that length. What it holds is left from before, or zeros.
    pub fn stale(&self, length: usize) -> Vec<T> {
        let Some(mut buffer) = self.take(length) else { return vec![T::default(); length] };
        buffer.resize(length, T::default());
        buffer
    }

    /// An empty buffer with room for so many elements, if one is kept.
    pub fn empty(&self, room: usize) -> Option<Vec<T>> {
        let mut buffer = self.take(room)?;
        buffer.clear();
        Some(buffer)
    }

    /// The smallest one with room for so many.
    fn take(&self, room: usize) -> Option<Vec<T>> {
        if room * size_of::<T>() < LEAST_BYTES {
            return None;
        }
        let mut kept = self.kept.lock().ok()?;
        let fitting = kept.iter().enumerate().filter(|(_, (_, buffer))| room <= buffer.capacity());
        let (place, _) = fitting.min_by_key(|(_, (_, buffer))| buffer.capacity())?;
        Some(kept.remove(place).1)
    }

    /// Keeps a buffer for later, in the place of those that have waited longest if there are many.
    pub fn give(&self, buffer: Vec<T>) {
        let bytes = |buffer: &Vec<T>| buffer.capacity() * size_of::<T>();
        let most = KEPT_BYTES.load(Ordering::Relaxed);
        if !(LEAST_BYTES..=most).contains(&bytes(&buffer)) {
            return;
        }
        let Ok(mut kept) = self.kept.lock() else { return };
        // The oldest is the first.
        while kept.len() == KEPT
            || most < bytes(&buffer) + kept.iter().map(|(_, b)| bytes(b)).sum::<usize>()
        {
            kept.remove(0);
        }
        kept.push((Instant::now(), buffer));
    }

    fn release(&self, unused_for: Duration) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.retain(|(since, _)| since.elapsed() < unused_for);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_and_given_back() {
        let spare: Spare<u8> = Spare::new();
        assert_eq!(spare.stale(3), [0, 0, 0]);
        spare.give(vec![1; 100]);
        assert!(spare.empty(10).is_none(), "small ones are not kept");

        spare.give(vec![7; LEAST_BYTES]);
        spare.give(vec![8; 2 * LEAST_BYTES]);
        let smallest = spare.empty(LEAST_BYTES).unwrap();
        assert_eq!((smallest.len(), smallest.capacity()), (0, LEAST_BYTES));
        let stale = spare.stale(LEAST_BYTES + 1);
        assert_eq!((stale.len(), stale[0]), (LEAST_BYTES + 1, 8));
        assert!(spare.empty(LEAST_BYTES).is_none());

        (0..2 * KEPT).for_each(|_| spare.give(vec![0; LEAST_BYTES]));
        assert_eq!(spare.kept.lock().unwrap().len(), KEPT);
        spare.give(vec![0; KEPT_BYTES_MAX - LEAST_BYTES]);
        assert_eq!(spare.kept.lock().unwrap().len(), 2, "the others would be too many bytes");
        spare.give(vec![0; KEPT_BYTES_MAX + 1]);
        assert_eq!(spare.kept.lock().unwrap().len(), 2, "it alone would be too many");
        (0..2 * KEPT).for_each(|_| spare.give(vec![0; LEAST_BYTES]));
        spare.release(Duration::from_hours(1));
        assert_eq!(spare.kept.lock().unwrap().len(), KEPT);
        spare.release(Duration::ZERO);
        assert_eq!(spare.kept.lock().unwrap().len(), 0);
    }
}
