//! The certificates that somebody at this machine has decided to trust: one line each, the server
//! and the fingerprint.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::fingerprint::Fingerprint;

/// The file `known-servers`.
#[derive(Debug)]
pub struct KnownServers {
    path: PathBuf,
    text: String,
}

/// A file that is not understood, and so not relied on.
#[derive(Debug, thiserror::Error)]
pub enum KnownServersError {
    /// It cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is none.
    #[error("{path}, line {line}: must be `host:port sha256:…`: mend or remove the line", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which line.
        line: usize,
    },
}

impl KnownServers {
    /// Reads the file in the directory of this program's settings, if it is there.
    ///
    /// # Errors
    /// It is there, and cannot be read.
    pub fn open(directory: &Path) -> Result<Self, KnownServersError> {
        let path = directory.join("known-servers");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                path,
                text: String::new(),
            }),
            Err(source) => Err(KnownServersError::Io { path, source }),
        }
    }

    /// The fingerprint that is pinned for a server.
    ///
    /// # Errors
    /// A line is malformed: it may be that of this server.
    pub fn get(&self, server: &str) -> Result<Option<Fingerprint>, KnownServersError> {
        let mut found = None;
        for (index, line) in self.text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || KnownServersError::Malformed {
                path: self.path.clone(),
                line: index + 1,
            };
            let (name, fingerprint) = line.split_once(char::is_whitespace).ok_or_else(malformed)?;
            let fingerprint = fingerprint.trim().parse().map_err(|_| malformed())?;
            if name.eq_ignore_ascii_case(server) {
                found = found.or(Some(fingerprint));
            }
        }
        Ok(found)
    }

    /// Pins a fingerprint to a server that has none yet.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn pin(&mut self, server: &str, fingerprint: Fingerprint) -> Result<(), KnownServersError> {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text
            .extend([server, " ", &fingerprint.to_string(), "\n"]);
        files::replace_private(&self.path, self.text.as_bytes()).map_err(|source| {
            KnownServersError::Io {
                path: self.path.clone(),
                source,
            }
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pinned_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        let mut known = KnownServers::open(directory.path()).unwrap();
        assert_eq!(known.get("a:8443").unwrap(), None);
        known.pin("a:8443", one).unwrap();
        known.pin("a:8444", two).unwrap();
        let known = KnownServers::open(directory.path()).unwrap();
        assert_eq!(known.get("A:8443").unwrap(), Some(one));
        assert_eq!(known.get("a:8444").unwrap(), Some(two));
        assert_eq!(known.get("a:844").unwrap(), None);
    }

    #[test]
    fn a_line_that_is_none_is_not_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let text = "# mine\n\na:8443 sha256:00\n";
        fs::write(directory.path().join("known-servers"), text).unwrap();
        let error = KnownServers::open(directory.path())
            .unwrap()
            .get("b:1")
            .unwrap_err();
        assert!(
            matches!(error, KnownServersError::Malformed { line: 3, .. }),
            "{error}"
        );
    }
}
