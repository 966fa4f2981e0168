//! The first start: who is `admin`, and with which password.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use tracing::info;
use vestibule_engine::Secret;
use vestibule_service::{FirstAdmin, Random, Service, ServiceError};

use super::initial_password::{Gone, InitialPassword, initial_password_file};
use crate::config::{AdminPassword, Config};
use crate::files::{self, ReadError};
use crate::output;

/// 32 characters that nobody takes for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a password: 100 bits.
const LENGTH: usize = 20;

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

/// Makes `admin` if there is no user yet. What becomes of the file of the first password is
/// watched from then on.
pub(super) async fn make_admin(
    service: &Service,
    config: &Config,
    random: &dyn Random,
) -> Result<InitialPassword, FirstAdminError> {
    if service.has_no_users().await? {
        return try_to_make_admin(service, config, random).await;
    }
    let path = initial_password_file(&config.data_dir);
    Ok(InitialPassword::of(path, Gone::Changed))
}

/// Makes `admin`, unless another server does so meanwhile.
async fn try_to_make_admin(
    service: &Service,
    config: &Config,
    random: &dyn Random,
) -> Result<InitialPassword, FirstAdminError> {
    let path = initial_password_file(&config.data_dir);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| FirstAdminError::File { path, source }
    };
    let (password, given) = match &config.admin_password {
        Some(AdminPassword::Given(password)) => (Secret::new(password.expose().clone()), true),
        Some(AdminPassword::InFile(path)) => {
            let password = files::read_password(path).map_err(failed(path))?;
            (password, true)
        }
        None => (keep(&path, random).map_err(failed(&path))?, false),
    };
    let shown = Secret::new(password.expose().clone());
    if service.make_first_admin(password).await? == FirstAdmin::NotNeeded {
        return Ok(InitialPassword::of(path, Gone::NeverRight));
    }
    if given {
        info!("First start: the user admin has the password that was given");
    } else {
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
    Ok(InitialPassword::of(path, Gone::Changed))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vestibule_engine::NameKey;
    use vestibule_service::{ClientAddress, Hasher, Keyring, OsRandom, Parts, Policy, SystemClock};
    use vestibule_store::Store;
    use vestibule_store_memory::MemoryStore;

    use super::super::initial_password::hash_of_admin;
    use super::*;
    use crate::config::{Environment, Flags};

    fn config(directory: &Path, variables: &[(&str, &str)]) -> Config {
        let environment: Environment = variables.iter().copied().collect();
        let settings = Config::load(&Flags::default(), &environment, directory);
        let config = settings.unwrap().config;
        std::fs::create_dir(&config.data_dir).unwrap();
        config
    }

    async fn service(store: &Arc<dyn Store>) -> Service {
        let parts = Parts {
            store: Arc::clone(store),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(OsRandom),
            keyring: Keyring::new(&Secret::new([7; 32])),
            policy: Policy::default(),
        };
        Service::open(parts).await.unwrap()
    }

    async fn has_admin(store: &Arc<dyn Store>) -> bool {
        store
            .user_by_name(&NameKey::of("admin"))
            .await
            .unwrap()
            .is_some()
    }

    #[tokio::test]
    async fn the_password_of_the_slower_server_goes() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let service = service(&store).await;
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (faster, slower) = (config(one.path(), &[]), config(two.path(), &[]));
        // Both have seen that there is no user.
        for config in [&faster, &slower] {
            let made = try_to_make_admin(&service, config, &OsRandom).await;
            made.unwrap().forget_if_changed(&store).await;
        }
        assert!(initial_password_file(&faster.data_dir).exists());
        assert!(!initial_password_file(&slower.data_dir).exists());
        assert!(Gone::NeverRight.why().contains("Another server was faster"));

        // Two servers may also share the directory: then the password is right for both.
        let again = try_to_make_admin(&service, &faster, &OsRandom).await;
        again.unwrap().forget_if_changed(&store).await;
        assert!(initial_password_file(&faster.data_dir).exists());
    }

    #[tokio::test]
    async fn a_password_file_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        let config = config(
            directory.path(),
            &[("VESTIBULE_ADMIN_PASSWORD_FILE", "password")],
        );
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let service = service(&store).await;
        let missing = make_admin(&service, &config, &OsRandom).await;
        assert!(matches!(missing, Err(FirstAdminError::File { path, .. }) if path == file));
        assert!(!has_admin(&store).await);

        std::fs::write(&file, "geheim\n").unwrap();
        make_admin(&service, &config, &OsRandom).await.unwrap();
        let hash = hash_of_admin(&store).await.unwrap();
        let password = Arc::new(Secret::new("geheim".to_owned()));
        let hasher = Hasher::new(1);
        let right = hasher.verify(password, hash, ClientAddress::Local);
        assert!(right.await.unwrap());

        std::fs::remove_file(&file).unwrap();
        make_admin(&service, &config, &OsRandom).await.unwrap();
    }

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
