//! What must not be linked, however far down.

/// Cryptography that is not Rust's: hard to build, hard to build anywhere.
const BANNED: [&str; 4] = ["native-tls", "openssl", "openssl-src", "openssl-sys"];

/// Banned packages in a lock file.
pub(super) fn banned(lock: &str) -> Vec<String> {
    let names = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let banned = names.filter(|name| BANNED.contains(name));
    banned.map(|name| format!("{name} is banned")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_package_is_found() {
        let lock = "[[package]]\nname = \"rustls\"\n\n[[package]]\nname = \"openssl-sys\"\n";
        assert_eq!(banned(lock), ["openssl-sys is banned"]);
        assert!(banned("name = \"openssl-probe\"\n").is_empty());
    }
}
