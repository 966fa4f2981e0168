//! The file of the first password, which goes when the password is good for nothing any more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};
use uuid::Uuid;
use vestibule_engine::{DeviceId, NameKey};
use vestibule_service::{ClientAddress, Hasher};
use vestibule_store::{PasswordHash, Store, StoreError};

use crate::files::{self, ReadError};

/// Where the password is until it is changed.
pub fn initial_password_file(data_dir: &Path) -> PathBuf {
    data_dir.join("initial-admin-password")
}

/// Watches whether the password in the file is still that of `admin`.
pub(super) struct InitialPassword {
    path: PathBuf,
    hasher: Hasher,
    /// The last hash of which the file holds the password.
    right: Option<PasswordHash>,
    /// Why the file holds another password, should it do so.
    otherwise: Gone,
}

/// Why a first password is good for nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gone {
    /// It was changed.
    Changed,
    /// Another server made `admin` at the same time, with a password of its own.
    NeverRight,
}

impl Gone {
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Changed => "The password of admin was changed",
            Self::NeverRight => {
                "Another server was faster on the first start: admin has the password of that one"
            }
        }
    }
}

impl InitialPassword {
    pub(super) fn of(path: PathBuf, otherwise: Gone) -> Self {
        Self {
            path,
            hasher: Hasher::new(1),
            right: None,
            otherwise,
        }
    }

    /// Removes the file if the password was changed, wherever that was done.
    pub(super) async fn forget_if_changed(&mut self, store: &Arc<dyn Store>) {
        if !self.path.exists() {
            return;
        }
        match self.is_right(store).await {
            Ok(true) => self.otherwise = Gone::Changed,
            Ok(false) => forget(&self.path, self.otherwise),
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
            .verify(Arc::new(password), Some(hash.clone()), ClientAddress::Local)
            .await?;
        self.right = right.then_some(hash);
        Ok(right)
    }
}

pub(super) async fn hash_of_admin(
    store: &Arc<dyn Store>,
) -> Result<Option<PasswordHash>, StoreError> {
    let nowhere = DeviceId::from_uuid(Uuid::nil());
    let standing = store
        .password_standing(&NameKey::of("admin"), nowhere)
        .await?;
    Ok(standing.and_then(|standing| standing.password))
}

/// Removes the file with a password that is good for nothing any more.
pub(crate) fn forget(path: &Path, gone: Gone) {
    let why = gone.why();
    match std::fs::remove_file(path) {
        Ok(()) => info!(file = %path.display(), "{why}: file removed"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(
            error = &error as &dyn std::error::Error,
            file = %path.display(),
            "{why}, but the file of the first one cannot be removed"
        ),
    }
}
