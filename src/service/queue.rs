//! The queue for the compute threads. Who would wait long is refused at once, before its body is
//! read if possible: under overload all that a longer queue adds is waiting.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// From how many bytes of body on a job is a large one: such jobs take all threads for a while,
/// and their clients are used to waiting.
const LARGE_BYTES: usize = 1 << 20;
/// How many large jobs may wait at least, so that some clients that each send one after the other
/// are all served.
const LARGE_WAITING: usize = 8;
/// So long a queue of short jobs may be in time.
const SHORT_WAIT: Duration = Duration::from_millis(10);
/// The share that the last job has in the mean time of jobs.
const NEWEST: u64 = 16;

/// Who waits for a thread.
pub struct Queue {
    threads: usize,
    slots: Arc<Semaphore>,
    /// Those of small jobs and of large ones.
    lines: [Arc<Line>; 2],
    /// When a job last began or ended.
    moved: Arc<Mutex<Instant>>,
}

/// One line of the queue.
struct Line {
    /// How many may wait however long it takes.
    least: usize,
    waiting: AtomicUsize,
    /// The mean time of a job, in nanoseconds.
    mean: AtomicU64,
}

/// A place on a thread, until this is dropped.
pub struct Slot {
    line: Arc<Line>,
    moved: Arc<Mutex<Instant>>,
    since: Instant,
    _free: OwnedSemaphorePermit,
}

impl Queue {
    /// A queue before so many threads, in which as many jobs may wait.
    pub fn new(threads: usize) -> Queue {
        let line = |least| {
            // Until jobs show how long they take, no more wait than may in any case.
            let mean = AtomicU64::new(SHORT_WAIT.as_nanos() as u64);
            Arc::new(Line { least, waiting: AtomicUsize::new(0), mean })
        };
        let lines = [line(threads), line(threads.max(LARGE_WAITING))];
        let moved = Arc::new(Mutex::new(Instant::now()));
        Queue { threads, slots: Arc::new(Semaphore::new(threads)), lines, moved }
    }

    /// Whether every thread has been at the same job for longer than this.
    pub fn is_stalled(&self, after: Duration) -> bool {
        let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        self.slots.available_permits() == 0 && after < moved.elapsed()
    }

    fn begin(&self, line: &Arc<Line>, free: OwnedSemaphorePermit) -> Slot {
        let since = Instant::now();
        note(&self.moved, since);
        Slot { line: line.clone(), moved: self.moved.clone(), since, _free: free }
    }

    /// How many jobs run.
    pub fn running(&self) -> usize {
        self.threads - self.slots.available_permits()
    }

    fn line(&self, bytes: usize) -> &Arc<Line> {
        &self.lines[usize::from(LARGE_BYTES <= bytes)]
    }

    /// Whether a job of so many bytes would find no place to wait.
    pub fn is_full(&self, bytes: usize) -> bool {
        let line = self.line(bytes);
        self.slots.available_permits() == 0
            && line.most(self.threads) <= line.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a thread; none if too many wait already.
    ///
    /// # Errors
    /// If there are no threads any more.
    pub async fn slot(&self, bytes: usize) -> Result<Option<Slot>, AcquireError> {
        let line = self.line(bytes);
        if let Ok(free) = self.slots.clone().try_acquire_owned() {
            return Ok(Some(self.begin(line, free)));
        }
        let most = line.most(self.threads);
        let joined = line.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < most).then_some(waiting + 1)
        });
        if joined.is_err() {
            return Ok(None);
        }
        let _waiting = Waiting(&line.waiting);
        self.slots.clone().acquire_owned().await.map(|free| Some(self.begin(line, free)))
    }
}

impl Line {
    /// How many may wait.
    fn most(&self, threads: usize) -> usize {
        let mean = u128::from(self.mean.load(Ordering::Relaxed).max(1));
        let short = SHORT_WAIT.as_nanos() * threads as u128 / mean;
        self.least.max(usize::try_from(short).unwrap_or(usize::MAX))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let took = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mean = self.line.mean.load(Ordering::Relaxed);
        // Two jobs that end at once may lose one of them from the mean, which is only a mean.
        let new = mean - mean / NEWEST + took / NEWEST;
        self.line.mean.store(new, Ordering::Relaxed);
        note(&self.moved, Instant::now());
    }
}

fn note(moved: &Mutex<Instant>, now: Instant) {
    *moved.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

/// One that waits, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue before one thread whose jobs take so long.
    fn queue(mean: Duration) -> Queue {
        let queue = Queue::new(1);
        for line in &queue.lines {
            line.mean.store(u64::try_from(mean.as_nanos()).unwrap(), Ordering::Relaxed);
        }
        queue
    }

    #[tokio::test]
    async fn as_many_wait_as_may_and_no_more() {
        let queue = Arc::new(queue(Duration::from_secs(1)));
        let running = queue.slot(0).await.unwrap().unwrap();
        assert!(!queue.is_full(0));
        let behind = tokio::spawn({
            let queue = queue.clone();
            async move { queue.slot(0).await.unwrap().is_some() }
        });
        while !queue.is_full(0) {
            tokio::task::yield_now().await;
        }
        assert!(queue.slot(0).await.unwrap().is_none());
        assert!(!queue.is_full(LARGE_BYTES), "large ones wait in a line of their own");
        drop(running);
        assert!(behind.await.unwrap());
        assert!(!queue.is_full(0) && queue.running() == 0);
        assert!(queue.slot(0).await.unwrap().is_some());
    }

    #[test]
    fn short_jobs_may_wait_in_greater_number() {
        assert_eq!(queue(Duration::from_millis(1)).lines[0].most(2), 20);
        assert_eq!(queue(Duration::from_millis(100)).lines[0].most(1), 1);
        assert_eq!(queue(Duration::from_millis(100)).lines[1].most(1), LARGE_WAITING);
    }
}
