//! What a file looked like, to tell whether it has changed since.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// What a file looked like: none if it was not there. Any change of it is a change of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    /// What the file looks like now.
    pub fn of(path: &Path) -> Stamp {
        let seen = fs::metadata(path)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len(), metadata.ino())));
        Stamp(seen.ok())
    }
}
