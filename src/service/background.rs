//! Work on threads of its own, which give way to those that read requests and answer small ones:
//! where there are more of both than cores, a large job takes a little longer, and a hundred small
//! ones do not wait for it.

use tokio::task::{JoinHandle, spawn_blocking};

/// As `nice` counts: such a thread gets a third of what one gets that answers, where both want all.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Does some work on a thread that gives way to others.
pub fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    spawn_blocking(move || {
        give_way();
        work()
    })
}

/// Lowers the priority of this thread and those that it starts.
#[cfg(target_os = "linux")]
fn give_way() {
    thread_local! {
        // On Linux this is about the calling thread alone. The work is done whatever it says.
        static ASKED: bool = rustix::process::nice(NICENESS).is_ok();
    }
    ASKED.with(|_| ());
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn only_such_threads_give_way() {
        let before = getpriority_process(None).unwrap();
        let own = in_background(|| getpriority_process(None).unwrap());
        assert_eq!(own.await.unwrap(), before + NICENESS);
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
