//! The directory of this program's settings for one person: who this device is, and which servers
//! it knows.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;

use uuid::{Builder, Uuid};

use super::LoginError;
use crate::files;

/// The directory, if it is known where it should be.
#[derive(Debug)]
pub(super) struct Home(Option<PathBuf>);

impl Home {
    pub(super) fn of_process() -> Self {
        Self::find(|name| std::env::var_os(name))
    }

    /// `$XDG_CONFIG_HOME/vestibule`, or `~/.config/vestibule`.
    fn find(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let absolute = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let config =
            absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        Self(config.map(|config| config.join("vestibule")))
    }

    /// The directory, made if need be.
    pub(super) fn directory(&self) -> Result<PathBuf, LoginError> {
        let Some(path) = &self.0 else {
            return Err(LoginError::Refused(
                "it is not known where settings are kept: set HOME or XDG_CONFIG_HOME".to_owned(),
            ));
        };
        files::make_private_directory(path)
            .map_err(|error| LoginError::Refused(format!("{}: {error}", path.display())))?;
        Ok(path.clone())
    }

    /// Who this device is, for ever.
    pub(super) fn device_id(&self) -> Result<Uuid, LoginError> {
        let path = self.directory()?.join("device-id");
        let failed = |error: &dyn std::fmt::Display| {
            LoginError::Refused(format!("{}: {error}", path.display()))
        };
        let read = || match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                failed(&"must hold one UUID: remove the file, and this is a new device")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&error)),
        };
        if let Some(id) = read()? {
            return Ok(id);
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| failed(&error))?;
        let id = Builder::from_random_bytes(random).into_uuid();
        match files::create_private(&path, format!("{id}\n").as_bytes()) {
            Ok(()) => Ok(id),
            // Another sign-in that began at the same time was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                read()?.ok_or_else(|| failed(&error))
            }
            Err(error) => Err(failed(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Option<&str>) {
        let find = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| OsString::from(value))
        };
        assert_eq!(Home::find(find).0, expected.map(PathBuf::from));
    }

    #[test]
    fn where_it_is() {
        check(
            &[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")],
            Some("/x/vestibule"),
        );
        check(
            &[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")],
            Some("/h/.config/vestibule"),
        );
        check(&[("HOME", "/h")], Some("/h/.config/vestibule"));
        check(&[], None);
    }

    #[test]
    fn a_device_stays_who_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home(Some(directory.path().join("a/vestibule")));
        let id = home.device_id().unwrap();
        assert_eq!(home.device_id().unwrap(), id);
        assert_eq!(id.get_version_num(), 4);
        let file = home.directory().unwrap().join("device-id");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::write(&file, "nobody").unwrap();
        assert!(
            home.device_id()
                .unwrap_err()
                .to_string()
                .contains("must hold one UUID")
        );
    }
}
