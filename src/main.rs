//! The program: all of it is in the library, where tests can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    lossd::cli::run()
}
