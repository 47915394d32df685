//! The file that a secret goes into.

use secrecy::{ExposeSecret, SecretString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Failure;

/// Its owner reads and writes it, nobody else.
const OWNER_ONLY: u32 = 0o600;

/// A file that was made for a secret and is empty so far. Dropped as it is, it goes again.
pub(super) struct SecretFile {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl SecretFile {
    /// Makes the file. One that exists stays as it is: it may hold a secret that is in use.
    pub(super) fn reserve(path: &Path) -> Result<Self, Failure> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(OWNER_ONLY)
            .open(path);
        match made {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                file,
                kept: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Failure::usage(format!(
                    "--secret-file {} exists already and is not overwritten: name another one",
                    path.display()
                )))
            }
            Err(error) => Err(Failure::usage(format!(
                "--secret-file {} cannot be made: {error}",
                path.display()
            ))),
        }
    }

    /// Writes the secret, durably.
    pub(super) fn keep(mut self, secret: &SecretString) -> io::Result<PathBuf> {
        self.file.write_all(secret.expose_secret().as_bytes())?;
        self.file.write_all(b"\n")?;
        self.file.sync_all()?;
        self.kept = true;
        Ok(self.path.clone())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.kept {
            // Empty, or half written: what is in it was told elsewhere.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_is_for_its_owner_only_is_never_overwritten_and_goes_if_nothing_came() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        drop(SecretFile::reserve(&path).unwrap());
        assert!(!path.exists());
        let kept = SecretFile::reserve(&path).unwrap();
        assert_eq!(kept.keep(&"s3cret".into()).unwrap(), path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "s3cret\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(SecretFile::reserve(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "s3cret\n");
    }
}
