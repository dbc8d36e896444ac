//! Rounds: a request on a line of the standard input, its time on a line of the standard output.
//! So a driver can take turns between this program and others.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;
use std::{fs, io, thread};

/// Answers requests until there are no more.
pub fn serve(
    mut measure: impl FnMut(&[&str]) -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let nanoseconds = measure(&words).map_err(|error| format!("{line}: {error}"))?;
        writeln!(io::stdout().lock(), "{nanoseconds}")?;
    }
    Ok(())
}

/// What a round is measured in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The time that this thread was on a CPU.
    Thread,
    /// The time that passed.
    #[allow(dead_code, reason = "not every program that has rounds uses several threads")]
    Wall,
}

impl Clock {
    /// The nanoseconds that some work takes.
    pub fn time(self, work: impl FnOnce()) -> Result<f64, Box<dyn Error>> {
        match self {
            Clock::Thread => {
                let start = on_cpu()?;
                work();
                Ok((on_cpu()? - start) as f64)
            }
            Clock::Wall => {
                let start = Instant::now();
                work();
                Ok(start.elapsed().as_secs_f64() * 1e9)
            }
        }
    }
}

/// The nanoseconds that this thread has been on a CPU.
fn on_cpu() -> Result<u64, Box<dyn Error>> {
    // Linux brings the figure up to date when the thread gives way.
    thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_whitespace().next().ok_or("schedstat is empty")?;
    Ok(first.parse()?)
}
