//! A token bucket. The time is handed in, so that nothing here waits for a clock.

use std::time::{Duration, Instant};

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Tokens per second.
    pub rate: f64,
    /// The most tokens that there are at once.
    pub burst: f64,
}

/// A bucket of tokens. It may be in debt, and then has to fill up before anything is taken again.
#[derive(Debug)]
pub struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A bucket that is full, whatever its quota.
    pub fn full(now: Instant) -> Bucket {
        Bucket { tokens: f64::INFINITY, at: now }
    }

    /// How many tokens there are.
    pub fn tokens(&self, quota: Quota, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + passed * quota.rate).min(quota.burst)
    }

    /// How long until there are so many tokens, or the bucket is full; none if that is so now.
    pub fn wait(&self, quota: Quota, cost: f64, now: Instant) -> Option<Duration> {
        let lacking = cost.min(quota.burst) - self.tokens(quota, now);
        let wait = || Duration::try_from_secs_f64(lacking / quota.rate).unwrap_or(Duration::MAX);
        (0.0 < lacking).then(wait)
    }

    /// Takes tokens, or says how long until there are enough. What costs more than the bucket
    /// holds is let through when it is full, and leaves a debt.
    pub fn take(&mut self, quota: Quota, cost: f64, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self.wait(quota, cost, now) {
            return Err(wait);
        }
        self.spend(quota, cost, now);
        Ok(())
    }

    /// Takes tokens whether or not they are there. A negative cost gives some back.
    pub fn spend(&mut self, quota: Quota, cost: f64, now: Instant) {
        self.tokens = (self.tokens(quota, now) - cost).min(quota.burst);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { rate: 10.0, burst: 20.0 };

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        assert_eq!(bucket.take(QUOTA, 15.0, start), Ok(()));
        assert_eq!(bucket.take(QUOTA, 15.0, start), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(QUOTA, 5.0, start), Ok(()), "a refusal takes nothing");
        let mut taken = 0;
        for tenth in 1..=100 {
            while bucket.take(QUOTA, 1.0, start + Duration::from_millis(100) * tenth).is_ok() {
                taken += 1;
            }
        }
        assert!((99..=100).contains(&taken), "{taken} in ten seconds");
        let later = start + Duration::from_hours(1);
        assert_eq!(bucket.tokens(QUOTA, later), 20.0, "no more than the burst is saved up");
    }

    #[test]
    fn what_costs_more_than_the_burst_waits_for_a_full_bucket() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        assert_eq!(bucket.take(QUOTA, 50.0, start), Ok(()));
        assert_eq!(bucket.tokens(QUOTA, start), -30.0);
        assert_eq!(bucket.take(QUOTA, 50.0, start), Err(Duration::from_secs(5)));
        assert_eq!(bucket.take(QUOTA, 50.0, start + Duration::from_secs(5)), Ok(()));
    }

    #[test]
    fn what_is_given_back_is_there_again_but_never_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        assert_eq!(bucket.take(QUOTA, 20.0, start), Ok(()));
        bucket.spend(QUOTA, -8.0, start);
        assert_eq!(bucket.tokens(QUOTA, start), 8.0);
        bucket.spend(QUOTA, -80.0, start);
        assert_eq!(bucket.tokens(QUOTA, start), 20.0);
        let smaller = Quota { rate: 1.0, burst: 5.0 };
        assert_eq!(bucket.tokens(smaller, start), 5.0);
    }

    #[test]
    fn a_time_before_the_last_one_changes_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let later = start + Duration::from_secs(1);
        assert_eq!(bucket.take(QUOTA, 20.0, later), Ok(()));
        assert_eq!(bucket.tokens(QUOTA, start), 0.0);
        bucket.spend(QUOTA, 0.0, start);
        assert_eq!(bucket.tokens(QUOTA, later), 0.0);
        let slow = Quota { rate: 1e-300, burst: 20.0 };
        assert_eq!(bucket.take(slow, 1.0, later), Err(Duration::MAX));
    }
}
