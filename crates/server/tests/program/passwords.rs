//! What new passwords must be, for operators as for everybody.

use std::fs;

use vestibule_engine::LocalProvider;
use vestibule_engine::identity::MinPasswordLength;
use vestibule_store::{Health as _, IdentityProviders as _};
use vestibule_store_sqlite::SqliteStore;

use crate::common::{Server, ended, stderr, stdout, vestibule};

#[test]
fn new_passwords_are_as_long_as_the_identity_provider_wants() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let path = directory.path().join("data/vestibule.sqlite3");
        let store = SqliteStore::open(&path).await.unwrap();
        let ten = LocalProvider {
            min_password_length: MinPasswordLength::new(10).unwrap(),
            ..LocalProvider::built_in()
        };
        store.set_local_provider(&ten, &[]).await.unwrap();
        store.close().await;
    });

    let check = |arguments: [&str; 3], password: &str, code: i32, said: &str| {
        fs::write(directory.path().join("password"), password).unwrap();
        let output = vestibule(&arguments)
            .args(["--password-file", "password", "--data-dir", "data"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        ended(&output, code);
        let all = stdout(&output) + &stderr(&output);
        assert!(all.contains(said), "{arguments:?}: {all}");
    };
    let (add, passwd) = (["user", "add", "bob"], ["user", "passwd", "bob"]);
    let short = "password must have at least 10 characters";
    check(add, "123456789", 64, short);
    check(passwd, "1234567890", 1, "there is no user bob");
    check(add, "1234567890", 0, "Made the user bob");
    check(passwd, "äöüäöüäöü", 64, short);
    check(passwd, "äöüäöüäöüä", 0, "Changed the password of bob");
    assert_eq!(server.terminate().0, Some(0));
}
