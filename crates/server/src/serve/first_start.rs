//! The first start: who is `admin`, and with which password.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};
use uuid::Uuid;
use vestibule_engine::{DeviceId, NameKey, Secret};
use vestibule_service::{FirstAdmin, Hasher, Random, Service, ServiceError};
use vestibule_store::{PasswordHash, Store, StoreError};

use crate::config::Config;
use crate::files::{self, ReadError};
use crate::output;

/// 32 characters that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a password: 100 bits.
const LENGTH: usize = 20;

/// Where the password is until it is changed.
pub fn initial_password_file(data_dir: &Path) -> PathBuf {
    data_dir.join("initial-admin-password")
}

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub enum FirstAdminError {
    /// The service fails.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The password cannot be kept.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
}

/// Makes `admin` if there is no user yet.
pub(super) async fn make_admin(
    service: &Service,
    config: &Config,
    random: &dyn Random,
) -> Result<(), FirstAdminError> {
    if !service.has_no_users().await? {
        return Ok(());
    }
    if let Some(password) = &config.admin_password {
        let password = Secret::new(password.expose().clone());
        if service.make_first_admin(password).await? == FirstAdmin::Made {
            info!("First start: the user admin has the password that was given");
        }
        return Ok(());
    }
    let path = initial_password_file(&config.data_dir);
    let password = keep(&path, random).map_err(|source| FirstAdminError::File {
        path: path.clone(),
        source,
    })?;
    let shown = Secret::new(password.expose().clone());
    if service.make_first_admin(password).await? == FirstAdmin::Made {
        info!(
            file = %path.display(),
            "First start: the password of the user admin is in the file initial-admin-password; \
             change it, and the file goes away"
        );
        if io::stderr().is_terminal() {
            output::note(format_args!(
                "\n  User name: admin\n  Password:  {}\n",
                shown.expose()
            ));
        }
    }
    Ok(())
}

/// A new password in the file, or the one that an interrupted first start left there.
///
/// It is written before the user is made: a password that nobody knows is of no use.
fn keep(path: &Path, random: &dyn Random) -> Result<Secret<String>, ReadError> {
    let password = generate(random);
    let line = Secret::new(format!("{}\n", password.expose()));
    match files::create_private(path, line.expose().as_bytes()) {
        Ok(()) => Ok(password),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => files::read_password(path),
        Err(error) => Err(error.into()),
    }
}

fn generate(random: &dyn Random) -> Secret<String> {
    let bytes = Secret::new(random.bytes::<LENGTH>());
    let letter = |byte: &u8| {
        ALPHABET
            .get(usize::from(byte % 32))
            .map_or('a', |&b| char::from(b))
    };
    Secret::new(bytes.expose().iter().map(letter).collect())
}

/// Watches whether the password in the file is still that of `admin`.
pub(super) struct InitialPassword {
    path: PathBuf,
    hasher: Hasher,
    /// The last hash of which the file holds the password.
    right: Option<PasswordHash>,
}

impl InitialPassword {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            path: initial_password_file(data_dir),
            hasher: Hasher::new(1),
            right: None,
        }
    }

    /// Removes the file if the password was changed, wherever that was done.
    pub(super) async fn forget_if_changed(&mut self, store: &Arc<dyn Store>) {
        if !self.path.exists() {
            return;
        }
        match self.is_right(store).await {
            Ok(true) => {}
            Ok(false) => forget(&self.path),
            // The next look may find out.
            Err(error) => warn!(
                error = &*error,
                "Whether the password of admin was changed is not known"
            ),
        }
    }

    async fn is_right(
        &mut self,
        store: &Arc<dyn Store>,
    ) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        let Some(hash) = hash_of_admin(store).await? else {
            return Ok(false);
        };
        if self.right.as_ref() == Some(&hash) {
            return Ok(true);
        }
        let password = match files::read_password(&self.path) {
            Ok(password) => password,
            Err(ReadError::Empty) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let right = self
            .hasher
            .verify(Arc::new(password), Some(hash.clone()))
            .await?;
        self.right = right.then_some(hash);
        Ok(right)
    }
}

async fn hash_of_admin(store: &Arc<dyn Store>) -> Result<Option<PasswordHash>, StoreError> {
    let nowhere = DeviceId::from_uuid(Uuid::nil());
    let standing = store
        .password_standing(&NameKey::of("admin"), nowhere)
        .await?;
    Ok(standing.and_then(|standing| standing.password))
}

/// Removes the file with a password that is good for nothing any more.
pub(crate) fn forget(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => info!(file = %path.display(), "The password of admin was changed: file removed"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(
            error = &error as &dyn std::error::Error,
            file = %path.display(),
            "The password of admin was changed, but the file of the first one cannot be removed"
        ),
    }
}

#[cfg(test)]
mod tests {
    use vestibule_service::OsRandom;

    use super::*;

    #[test]
    fn passwords_are_long_and_clear() {
        let (one, two) = (generate(&OsRandom), generate(&OsRandom));
        assert_eq!(one.expose().len(), LENGTH);
        assert!(!one.same_as(&two));
        assert!(one.expose().bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn an_interrupted_first_start_goes_on_with_its_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = initial_password_file(directory.path());
        let first = keep(&path, &OsRandom).unwrap();
        assert!(keep(&path, &OsRandom).unwrap().same_as(&first));
    }
}
