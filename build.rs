//! Tells the program which git revision it is built from: the variable `LOSSD_REVISION` where it
//! is set, else what git says, else `unknown`.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=LOSSD_REVISION");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let given = env::var("LOSSD_REVISION").ok().filter(|revision| !revision.is_empty());
    let revision = given.or_else(revision_of_git).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=LOSSD_REVISION={revision}");
}

fn revision_of_git() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !revision.is_empty()).then_some(revision)
}
