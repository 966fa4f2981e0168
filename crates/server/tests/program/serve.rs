//! `vestibule serve` and the commands around it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::common::{PASSWORD, Server, ended, stderr, stdout, vestibule};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs a command over the data directory of a server.
fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = vestibule(arguments);
    command
        .args(["--data-dir", "data"])
        .current_dir(directory)
        .output()
        .unwrap()
}

/// Starts a server that does not get as far as listening.
fn fails(directory: &Path, arguments: &[&str], code: i32) -> String {
    let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
    let output = run(directory, &arguments);
    ended(&output, code);
    assert_eq!(stdout(&output), "", "it was never ready");
    stderr(&output)
}

#[test]
fn an_empty_directory_becomes_a_controller() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_with(directory.path(), &[], &[]);
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    let data = directory.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in [
        "master.key",
        "tls-key.pem",
        "initial-admin-password",
        "vestibule.sqlite3",
    ] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    let password = fs::read_to_string(data.join("initial-admin-password")).unwrap();
    assert_eq!(password.trim().len(), 20);
    let log = server.log();
    assert!(log.contains("initial-admin-password"), "{log}");
    assert!(
        !log.contains(password.trim()),
        "the password is shown on a terminal only"
    );
    assert_eq!(server.terminate(), (Some(0), String::new()));
}

#[test]
fn a_second_start_finds_everything() {
    let directory = tempfile::tempdir().unwrap();
    let read = |file| fs::read_to_string(directory.path().join("data").join(file)).unwrap();
    let files = [
        "master.key",
        "tls-cert.pem",
        "tls-key.pem",
        "initial-admin-password",
    ];
    let first = Server::start_with(directory.path(), &[], &[]);
    let before = files.map(read);
    assert_eq!(first.terminate().0, Some(0));
    let _second = Server::start_with(directory.path(), &[], &[]);
    assert_eq!(files.map(read), before);
}

#[test]
fn another_master_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    Server::start(directory.path()).terminate();
    let key = directory.path().join("data/master.key");
    let right = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let said = fails(directory.path(), &[], 1);
    assert!(said.contains("the master key is not the one"), "{said}");
    assert!(!key.exists(), "a key that opens nothing does not stay");

    fs::write(&key, &right).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = fails(directory.path(), &[], 1);
    assert!(said.contains("open to others"), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    Server::start(directory.path());
}

#[test]
fn wrong_settings_end_it_before_anything_happens() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("vestibule.toml"),
        "\n[tokens]\npartail = \"5m\"\n",
    )
    .unwrap();
    let said = fails(directory.path(), &["--tls-cert", "c"], 64);
    assert!(
        said.contains("vestibule.toml, line 3: tokens.partail"),
        "{said}"
    );
    assert!(said.contains("--tls-cert needs --tls-key"), "{said}");
    assert!(!directory.path().join("data").exists());

    let output = run(directory.path(), &["check-config"]);
    ended(&output, 64);
    assert!(stderr(&output).contains("line 3"));
    fs::write(
        directory.path().join("vestibule.toml"),
        "[tokens]\npartial = \"5m\"\n",
    )
    .unwrap();
    let output = run(directory.path(), &["check-config"]);
    ended(&output, 0);
    assert!(
        stdout(&output).contains("partial = \"5m\" # vestibule.toml, line 2"),
        "{}",
        stdout(&output)
    );

    fails(directory.path(), &["--http", "--listen", "0.0.0.0:0"], 64);
    ended(&vestibule(&["frobnicate"]).output().unwrap(), 64);
    let version = vestibule(&["--version"]).output().unwrap();
    assert_eq!(
        stdout(&version),
        format!("vestibule {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(directory.path(), &["serve", "--listen", &address]);
    ended(&output, 1);
    assert!(
        stderr(&output).contains(&format!("cannot listen on {address}")),
        "{}",
        stderr(&output)
    );
}

#[test]
fn health_is_asked_for_with_and_without_tls() {
    for (arguments, scheme) in [(&[][..], "https://"), (&["--http"], "http://")] {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start_with(directory.path(), arguments, &[]);
        assert!(server.url.starts_with(scheme), "{}", server.url);
        let address = server.address().to_owned();
        let check = [&["healthcheck", "--listen", &address], arguments].concat();
        ended(&run(directory.path(), &check), 0);
        assert_eq!(server.terminate().0, Some(0));
        assert!(TcpStream::connect(&address).is_err());
        ended(&run(directory.path(), &check), 1);
    }
    let directory = tempfile::tempdir().unwrap();
    ended(
        &run(
            directory.path(),
            &["healthcheck", "--listen", "127.0.0.1:0"],
        ),
        64,
    );
}

#[test]
fn memory_keeps_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--database-url", "memory:"];
    let server = Server::start_with(directory.path(), &arguments, &[]);
    assert!(!directory.path().join("data/vestibule.sqlite3").exists());
    assert_eq!(server.terminate().0, Some(0));
    // The next process has a new admin, with the password that is in the file.
    let server = Server::start_with(directory.path(), &arguments, &[]);
    assert!(
        directory
            .path()
            .join("data/initial-admin-password")
            .exists()
    );
    assert_eq!(server.terminate().0, Some(0));
    let output = run(
        directory.path(),
        &["user", "list", "--database-url", "memory:"],
    );
    ended(&output, 1);
    assert!(
        stderr(&output).contains("only the server itself"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn operators_act_while_the_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let missing = run(directory.path(), &["user", "list"]);
    ended(&missing, 1);
    assert!(
        stderr(&missing).contains("there is no database at"),
        "{}",
        stderr(&missing)
    );
    assert!(!directory.path().join("data").exists());

    let _server = Server::start(directory.path());
    fs::write(directory.path().join("password"), PASSWORD).unwrap();
    let check = |arguments: &[&str], code: i32, said: &str| {
        let output = run(directory.path(), arguments);
        ended(&output, code);
        let all = stdout(&output) + &stderr(&output);
        assert!(all.contains(said), "{arguments:?}: {all}");
    };
    let add = [
        "user",
        "add",
        "alice",
        "--password-file",
        "password",
        "--administrator",
    ];
    check(&add, 0, "Made the administrator alice");
    check(&add, 1, "there is a user of this name already");
    check(
        &["user", "add", " bob", "--password-file", "password"],
        64,
        "white space",
    );
    check(&["user", "add", "bob"], 64, "the password may not be empty");
    check(
        &["user", "list"],
        0,
        "admin, administrator\nalice, administrator\n",
    );
    check(&["user", "disable", "ALICE"], 0, "Disabled alice");
    check(&["user", "list"], 0, "alice, administrator, disabled");
    let last = "admin is the last enabled administrator: make another one first";
    check(&["user", "disable", "admin"], 1, last);
    check(&["user", "remove", "admin"], 1, last);
    check(&["user", "enable", "CN=alice,OU=local"], 0, "Enabled alice");
    check(&["user", "unlock", "alice"], 0, "Unlocked alice");
    check(&["user", "unlock", "nobody"], 1, "there is no user nobody");
    let until = "2100-01-01T00:00:00Z";
    check(&["user", "exempt", "alice", "--until", until], 0, until);
    check(
        &["user", "exempt", "alice", "--until", "2000-01-01T00:00:00Z"],
        64,
        "in the past",
    );
    check(
        &["user", "exempt", "alice", "--end"],
        0,
        "Ended the exemption of alice",
    );
    check(&["user", "exempt", "alice"], 64, "--until");
    check(&["seeds", "list"], 0, "");
    check(&["seeds", "list", "--output", "json"], 0, "[]");
    check(
        &["seeds", "reset", "alice"],
        0,
        "alice had no seed: wrong codes are forgotten",
    );
    // Who bears a name that looks like alice's is not taken for alice, nor alice for them.
    let twin = [
        "user",
        "add",
        "CN=alice,OU=local",
        "--password-file",
        "password",
    ];
    check(&twin, 0, "Made the user CN=alice,OU=local");
    check(
        &["user", "disable", "CN=alice,OU=local"],
        0,
        "Disabled alice,",
    );
    check(
        &["user", "enable", "CN=alice,OU=elsewhere"],
        1,
        "there is no user",
    );
    let twin = r"CN=CN\=alice\,OU\=local,OU=local";
    check(&["user", "remove", twin], 0, "Removed CN=alice,OU=local");
    check(&["user", "remove", "alice"], 0, "Removed alice");
    check(&["user", "remove", "alice"], 1, "there is no user alice");

    let output = run(directory.path(), &["user", "list", "--output", "json"]);
    let users: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(users[0]["name"], "admin");
    assert_eq!(users[0]["administrator"], true);
    assert_eq!(users.as_array().unwrap().len(), 1);
}

#[test]
fn the_first_password_goes_when_it_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data/initial-admin-password");
    let server = Server::start_with(directory.path(), &[], &[]);
    let first = fs::read(&file).unwrap();
    let mut passwd = vestibule(&["user", "passwd", "admin", "--data-dir", "data"]);
    let mut child = passwd
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"another one\n")
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!file.exists());

    // A copy that came back from somewhere holds no password any more.
    server.terminate();
    fs::write(&file, first).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start_with(directory.path(), &[], &[]);
    assert!(!file.exists());
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn a_given_password_file_may_go_after_the_first_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let given = [("VESTIBULE_ADMIN_PASSWORD_FILE", "password")];
    let run = |arguments: &[&str]| {
        let mut command = vestibule(arguments);
        command.args(["--data-dir", "data"]).envs(given);
        command.current_dir(directory.path()).output().unwrap()
    };
    let output = run(&["serve", "--listen", "127.0.0.1:0"]);
    ended(&output, 1);
    assert!(stderr(&output).contains("password: cannot be read"));

    fs::write(&file, PASSWORD).unwrap();
    let server = Server::start_with(directory.path(), &[], &given);
    assert_eq!(server.terminate().0, Some(0));
    fs::remove_file(&file).unwrap();
    let server = Server::start_with(directory.path(), &[], &given);
    ended(&run(&["healthcheck", "--listen", server.address()]), 0);
    ended(&run(&["user", "list"]), 0);
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn a_signal_during_the_start_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    // Somebody else opens the database, and takes long.
    let lock = fs::File::create(data.join("vestibule.sqlite3.lock")).unwrap();
    lock.lock().unwrap();
    let mut server = Server::spawn(directory.path(), &[], &[]);
    server.wait_for_log("Starting");
    assert_eq!(server.terminate(), (Some(0), String::new()));
}

#[test]
fn health_is_asked_for_without_proxies() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (_, port) = server.address().rsplit_once(':').unwrap();
    // Leads to this machine, but does not look like it.
    let listen = format!("[::ffff:0.0.0.0]:{port}");
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", nowhere.local_addr().unwrap());
    drop(nowhere);
    let output = vestibule(&["healthcheck", "--data-dir", "data", "--listen", &listen])
        .envs(["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"].map(|name| (name, &proxy)))
        .current_dir(directory.path())
        .output()
        .unwrap();
    ended(&output, 0);
}

#[test]
fn a_proxy_that_is_not_named_is_noted_once() {
    const SAID: &str = "name the proxy in [proxies] trusted";
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_with(directory.path(), &["--http"], &[]);
    let ask = |header: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let head = format!("GET /livez HTTP/1.1\r\nHost: v\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    ask("");
    assert!(!server.log().contains(SAID));
    ask("X-Forwarded-For: 192.0.2.1\r\n");
    ask("Forwarded: for=192.0.2.1\r\n");
    assert_eq!(server.log().matches(SAID).count(), 1, "{}", server.log());
}

/// A request whose body is missing, under way at a server that was asked to end meanwhile.
fn stopping(directory: &Path) -> (Server, TcpStream) {
    let mut server = Server::start_with(directory, &["--http"], &[]);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = "POST /admin/authentication HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\
                Accept: application/vnd.appgate.peer-v23+json\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body when it is about to read it.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal();
    server.wait_for_log("Stopping: requests under way may finish");
    (server, stream)
}

#[test]
fn requests_under_way_are_finished() {
    let directory = tempfile::tempdir().unwrap();
    let (server, mut stream) = stopping(directory.path());
    stream.write_all(b"{}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn a_second_signal_does_not_wait_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _stream) = stopping(directory.path());
    assert_eq!(server.terminate().0, Some(1));
}

#[test]
fn the_document_of_the_api_is_printed() {
    let output = vestibule(&["openapi"]).output().unwrap();
    ended(&output, 0);
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    assert!(
        stdout(&output) == fs::read_to_string(stored).unwrap(),
        "renew it: cargo run -- openapi > docs/openapi.json"
    );
}
