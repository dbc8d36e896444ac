//! Stopping work that nobody waits for any more. The thread that works knows a flag; long loops
//! look at it and end early, and what they leave behind is thrown away.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether work should stop.
#[derive(Clone, Debug, Default)]
pub struct Flag(Arc<AtomicBool>);

impl Flag {
    /// Asks the work to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work should stop.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Flag>> = const { RefCell::new(None) };
}

/// Does some work under a flag.
pub fn under<O>(flag: Flag, work: impl FnOnce() -> O) -> O {
    /// Takes the flag off the thread, also when the work panics.
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            CURRENT.set(None);
        }
    }
    CURRENT.set(Some(flag));
    let _off = Off;
    work()
}

/// The items as long as the work of this thread should go on: for the outer loop of work whose cost
/// grows faster than its numbers.
pub fn wanted<I: Iterator>(items: I) -> impl Iterator<Item = I::Item> {
    items.take_while(|_| !is_raised())
}

/// The flag of this thread's work, for other threads that do a part of it.
pub fn flag() -> Flag {
    CURRENT.with_borrow(Option::clone).unwrap_or_default()
}

/// Whether the work of this thread should stop; never for work without a flag.
pub fn is_raised() -> bool {
    CURRENT.with_borrow(|flag| flag.as_ref().is_some_and(Flag::is_raised))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_holds_for_the_work_under_it() {
        let flag = Flag::default();
        let raised = under(flag.clone(), || {
            assert!(!is_raised());
            flag.raise();
            is_raised()
        });
        assert!(raised && !is_raised());
    }
}
