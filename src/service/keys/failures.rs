//! Failed attempts to name a key, by the address that they came from.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::{Bucket, Quota};

/// Ten failures at once, and ten a minute.
const QUOTA: Quota = Quota { rate: 10.0 / 60.0, burst: 10.0 };

/// How many addresses are remembered.
const ADDRESSES_MAX: usize = 10_000;

/// The failures of every address that has some left.
#[derive(Default)]
pub struct Failures {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Failures {
    /// How long an address has to wait; none if it may try.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        self.lock().get(&network(address)).and_then(|bucket| bucket.wait(QUOTA, 1.0, now))
    }

    /// Notes a failure.
    pub fn note(&self, address: IpAddr, now: Instant) {
        let address = network(address);
        let mut buckets = self.lock();
        if ADDRESSES_MAX <= buckets.len() && !buckets.contains_key(&address) {
            forget(&mut buckets, now);
        }
        buckets.entry(address).or_insert_with(|| Bucket::full(now)).spend(QUOTA, 1.0, now);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets those that may do the most, first of all those whose bucket is full again.
fn forget(buckets: &mut HashMap<IpAddr, Bucket>, now: Instant) {
    let mut most = QUOTA.burst;
    while ADDRESSES_MAX <= buckets.len() {
        buckets.retain(|_, bucket| bucket.tokens(QUOTA, now) < most);
        most -= 1.0;
    }
}

/// Who has one IPv6 address has the 2^64 beside it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_eleventh_failure_in_a_row_has_to_wait() {
        let (failures, start) = (Failures::default(), Instant::now());
        let here = address("192.0.2.1");
        for _ in 0..10 {
            assert_eq!(failures.wait(here, start), None);
            failures.note(here, start);
        }
        let wait = failures.wait(here, start).unwrap();
        assert!((5.9..6.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert_eq!(failures.wait(address("192.0.2.2"), start), None, "others do not");
        assert_eq!(failures.wait(here, start + Duration::from_millis(6001)), None);
    }

    #[test]
    fn neighbours_in_ipv6_are_one_and_mapped_addresses_are_ipv4() {
        let network = |text: &str| super::network(address(text));
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        assert_eq!(network("::ffff:192.0.2.1"), address("192.0.2.1"));
    }

    #[test]
    fn no_more_than_so_many_addresses_are_remembered_and_the_worst_are_kept() {
        let (failures, start) = (Failures::default(), Instant::now());
        let worst = address("192.0.2.1");
        for _ in 0..10 {
            failures.note(worst, start);
        }
        for number in 0..ADDRESSES_MAX as u32 + 100 {
            failures.note(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number)), start);
        }
        assert!(failures.lock().len() <= ADDRESSES_MAX);
        assert!(failures.wait(worst, start).is_some());
    }
}
