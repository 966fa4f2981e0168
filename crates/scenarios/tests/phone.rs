//! The barcode and the codes as others see them: read by `zbarimg`, computed by `oathtool`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Site};

/// What a program prints.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; see `cargo xtask setup`"));
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_phone_reads_the_barcode_and_its_code_is_accepted_once() {
    let site = Site::new(env!("CARGO_BIN_EXE_vestibule-clocked"), Backend::Sqlite);
    let server = site.start();
    let client = server.client();
    let (_, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let admin = client.authorize(&verified).await.token();
    let long = "x".repeat(253);
    for name in ["alice", "Søren, the 3rd & sons", long.as_str()] {
        client.add_user(&admin, name, "a password").await.is(200);
        let partial = client.sign_in(name, "a password").await.token();
        let shown = client.initialize(&partial).await.json();
        let jpeg = STANDARD.decode(shown["barcode"].as_str().unwrap()).unwrap();
        let file = site.directory().join("barcode.jpg");
        std::fs::write(&file, jpeg).unwrap();
        let read = output(
            "zbarimg",
            &[
                "--quiet",
                "--raw",
                "-Sdisable",
                "-Sqrcode.enable",
                file.to_str().unwrap(),
            ],
        );
        assert_eq!(read, shown["otpAuthUrl"].as_str().unwrap());

        let secret = shown["secret"].as_str().unwrap();
        let now = format!("--now=@{}", site.now().unix_seconds());
        let code = output("oathtool", &["--totp", "-b", &now, secret]);
        client.otp(&partial, &code).await.token();
        let again = client.sign_in(name, "a password").await.token();
        client.otp(&again, &code).await.is(401);
    }
}
