//! Memory for requests: what may be taken in total, charged before it is taken and given back when
//! whoever holds the memory is done, be it a job or an answer on its way.

use std::fs;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is charged in one piece.
const UNIT: usize = 1024;

/// The memory that all requests share.
pub struct Budget {
    total: usize,
    units: Arc<Semaphore>,
}

/// A part of the memory, given back when it is dropped.
#[derive(Debug)]
pub struct Charge(OwnedSemaphorePermit);

/// Why memory is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Others have it now.
    Now,
    /// There is not that much.
    Ever,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Budget {
        let total = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Budget { total, units: Arc::new(Semaphore::new(total)) }
    }

    /// Charges memory before it is taken.
    ///
    /// # Errors
    /// If there is no such memory, now or ever.
    pub fn charge(&self, bytes: usize) -> Result<Charge, Short> {
        self.take(bytes.div_ceil(UNIT)).map(Charge)
    }

    /// Makes a charge one of so many bytes: it never waits, so that nobody who holds memory waits
    /// for somebody else who does.
    ///
    /// # Errors
    /// If it would have to grow and cannot; it stays as it was.
    pub fn adjust(&self, charge: &mut Charge, bytes: usize) -> Result<(), Short> {
        let (held, wanted) = (charge.0.num_permits(), bytes.div_ceil(UNIT));
        if held < wanted {
            if self.total < wanted {
                return Err(Short::Ever);
            }
            charge.0.merge(self.take(wanted - held)?);
        } else {
            // What is split off is dropped, and so given back.
            drop(charge.0.split(held - wanted));
        }
        Ok(())
    }

    fn take(&self, units: usize) -> Result<OwnedSemaphorePermit, Short> {
        let count = u32::try_from(units).ok().filter(|_| units <= self.total);
        let count = count.ok_or(Short::Ever)?;
        self.units.clone().try_acquire_many_owned(count).map_err(|_| Short::Now)
    }

    /// How many bytes there are.
    pub fn total(&self) -> usize {
        self.total * UNIT
    }

    /// How many bytes are charged.
    pub fn charged(&self) -> usize {
        (self.total - self.units.available_permits()) * UNIT
    }
}

/// Half of the memory that the process may have: the control group's, or the machine's.
pub fn half_of_memory() -> usize {
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<usize>().ok());
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_whitespace().next()?.parse::<usize>().ok()?.checked_mul(1024)
    });
    let known = [group, machine].into_iter().flatten().min();
    known.unwrap_or(4 << 30) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_is_given_back() {
        let budget = Budget::new(100 * UNIT);
        let mut one = budget.charge(60 * UNIT).unwrap();
        assert_eq!(budget.charged(), 60 * UNIT);
        assert_eq!(budget.charge(41 * UNIT).unwrap_err(), Short::Now);
        assert_eq!(budget.charge(101 * UNIT).unwrap_err(), Short::Ever);
        let two = budget.charge(40 * UNIT - 1).unwrap();
        assert_eq!(budget.adjust(&mut one, 61 * UNIT), Err(Short::Now));
        drop(two);
        assert_eq!(budget.adjust(&mut one, 61 * UNIT), Ok(()));
        assert_eq!(budget.adjust(&mut one, 101 * UNIT), Err(Short::Ever));
        assert_eq!(budget.adjust(&mut one, UNIT), Ok(()));
        assert_eq!(budget.charged(), UNIT);
        drop(one);
        assert_eq!(budget.charged(), 0);
    }

    #[test]
    fn the_machine_has_memory() {
        assert!(1 << 26 < half_of_memory());
    }
}
