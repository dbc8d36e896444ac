//! What a file looked like, to tell whether it has changed since.

use std::fs;
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a file looked like: none if it was not there. Any change of it is a change of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    /// What the file looks like now.
    fn of(path: &Path) -> Stamp {
        let seen = fs::metadata(path)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len(), metadata.ino())));
        Stamp(seen.ok())
    }
}

/// Files that are looked at again and again.
#[derive(Clone, Debug)]
pub struct Watched {
    paths: Vec<PathBuf>,
    seen: Vec<Stamp>,
}

impl Watched {
    /// Looks at files for the first time; before they are read, so that no change is missed.
    pub fn new(paths: Vec<PathBuf>) -> Watched {
        let seen = stamps(&paths);
        Watched { paths, seen }
    }

    /// Whether any of them has changed since the last look.
    pub fn has_changed(&mut self) -> bool {
        let before = mem::replace(&mut self.seen, stamps(&self.paths));
        before != self.seen
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    paths.iter().map(|path| Stamp::of(path)).collect()
}
