//! A file that one process at a time has for itself. The kernel takes it back at the end of the process, whatever the
//! end was.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;

/// Has the file for as long as it is open.
///
/// # Errors
/// Of the kind `WouldBlock`, with who it is, while somebody else has it.
pub fn hold(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let who = match holder(file) {
                Some(pid) => format!("process {pid}"),
                None => "another process".to_owned(),
            };
            Err(io::Error::new(io::ErrorKind::WouldBlock, who))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Who holds the lock of a file, as far as the kernel tells.
fn holder(file: &File) -> Option<u32> {
    let inode = format!(":{}", file.metadata().ok()?.ino());
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // `1: FLOCK  ADVISORY  WRITE 4711 00:2f:1234 0 EOF`
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let own = fields.get(1) == Some(&"FLOCK") && fields.get(5)?.ends_with(&inode);
        own.then(|| fields[4].parse().ok())?
    })
}
