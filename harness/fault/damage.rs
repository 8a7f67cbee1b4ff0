//! Bytes of a file changed in place, and put back: only where they are still what was put there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    pub path: PathBuf,
    pub offset: u64,
    /// Of the same length.
    pub was: String,
    pub becomes: String,
}

impl Damage {
    /// Makes the damage.
    ///
    /// # Errors
    /// When the file holds something else than it did when the damage was planned, or cannot be written.
    pub fn make(&self) -> io::Result<()> {
        if self.read()?.as_deref() != Some(self.was.as_bytes()) {
            return Err(io::Error::other(format!(
                "{} has changed at byte {} since the damage was planned",
                self.path.display(),
                self.offset
            )));
        }
        self.write(&self.becomes)
    }

    /// Puts back what was there. A file that is gone, or holds something else by now, is left alone: the damage
    /// is not in it.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn repair(&self) -> io::Result<()> {
        if self.is_begun()? {
            self.write(&self.was)?;
        }
        Ok(())
    }

    /// The damaged bytes are in the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_there(&self) -> io::Result<bool> {
        Ok(self.read()?.as_deref() == Some(self.becomes.as_bytes()))
    }

    /// The damaged bytes are in the file, or some of them: a crash may come in the middle of writing them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_begun(&self) -> io::Result<bool> {
        let Some(now) = self.read()? else {
            return Ok(false);
        };
        let each = now
            .iter()
            .zip(self.was.as_bytes().iter().zip(self.becomes.as_bytes()));
        let one_of_both = each
            .clone()
            .all(|(now, (was, becomes))| now == was || now == becomes);
        let changed = each.into_iter().any(|(now, (was, _))| now != was);
        Ok(one_of_both && changed)
    }

    /// `None` when there is no such place.
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; self.was.len()];
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.read_exact_at(&mut bytes, self.offset) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let file = File::options().write(true).open(&self.path)?;
        file.write_all_at(text.as_bytes(), self.offset)?;
        file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_made_once_and_repaired_only_where_it_still_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "one two three").unwrap();
        let damage = Damage {
            path: path.clone(),
            offset: 4,
            was: "two".to_owned(),
            becomes: "2wo".to_owned(),
        };
        damage.make().unwrap();
        assert!(damage.is_there().unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one 2wo three");
        assert!(damage.make().is_err());
        damage.repair().unwrap();
        damage.repair().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one two three");
        std::fs::write(&path, "restored").unwrap();
        damage.repair().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "restored");
        std::fs::remove_file(&path).unwrap();
        damage.repair().unwrap();
        assert!(!damage.is_there().unwrap());
    }

    #[test]
    fn damage_that_broke_off_half_way_is_repaired_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let damage = Damage {
            path: path.clone(),
            offset: 0,
            was: "abcd".to_owned(),
            becomes: "ABCD".to_owned(),
        };
        std::fs::write(&path, "ABcd").unwrap();
        assert!(damage.is_begun().unwrap() && !damage.is_there().unwrap());
        damage.repair().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abcd");
        assert!(!damage.is_begun().unwrap());
        std::fs::write(&path, "ABxd").unwrap();
        damage.repair().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ABxd");
    }
}
