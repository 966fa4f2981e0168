//! Where files of a measurement go: onto a disk, as what is written into memory costs nothing and is
//! not kept.

use std::env;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;
use tempfile::TempDir;

use crate::fault::{OrFault as _, Result};

/// File systems that are in memory alone: tmpfs and ramfs, as statfs(2) tells of them.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// A scratch directory on a disk: in the usual place, or where longer-lived ones are, or here.
pub(crate) fn scratch_directory() -> Result<TempDir> {
    let mut places = [env::temp_dir(), "/var/tmp".into(), PathBuf::from(".")].into_iter();
    let place = places.find(|place| is_on_disk(place));
    let place =
        place.or_fault("all scratch directories are in memory: set TMPDIR to one on a disk")?;
    TempDir::new_in(place).or_fault("no scratch directory")
}

/// Whether what is written here goes to a disk.
pub(crate) fn is_on_disk(path: &Path) -> bool {
    let kind = statfs(path)
        .ok()
        .and_then(|of| u64::try_from(of.f_type).ok());
    kind.is_some_and(|kind| !IN_MEMORY.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_no_disk() {
        assert!(!is_on_disk(Path::new("/nowhere/at/all")));
        assert!(is_on_disk(scratch_directory().unwrap().path()));
    }
}
