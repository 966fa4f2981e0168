//! What does not open, and what an operator can do about it.

use vestibule_engine::audit::clean;
use vestibule_engine::{DistinguishedName, UserId, UserName};
use vestibule_store::SealedThing;

use super::Resealing;
use crate::keyring::SealError;
use crate::{Inner, ServiceError};

/// So much is named.
const MOST_NAMED: usize = 100;

impl Inner {
    /// Names what does not open, and what an operator can do about it. Only without the key in use
    /// there is no going on.
    pub(super) async fn note_unopened(
        &self,
        resealing: &mut Resealing,
        thing: &SealedThing,
        error: SealError,
    ) -> Result<(), ServiceError> {
        self.keyring.check()?;
        let why = match error {
            SealError::MissingKey(key) => format!(
                "it needs the master key {key}, which is not in the key file; put that back, or if it \
                 is lost"
            ),
            SealError::Altered | SealError::Unsealable => {
                "it was altered, or moved from another place".to_owned()
            }
        };
        if resealing.unopened.len() >= MOST_NAMED {
            resealing.more_unopened += 1;
            return Ok(());
        }
        let what = match thing {
            SealedThing::Seed { user, .. } => {
                let name = self.name_for_commands(*user).await?;
                format!("the seed of the user {name}: {why}: `vestibule seeds reset {name}`")
            }
            SealedThing::Provider(stored) => {
                let name = clean(stored.provider.name.as_str());
                format!("a secret of the MFA provider {name}: {why}: enter it again")
            }
            SealedThing::Dialogue { user, .. } => {
                let name = self.name_for_commands(*user).await?;
                format!("a RADIUS dialogue of the user {name}: {why}: it ends by itself")
            }
            SealedThing::AuditKey { key, .. } => {
                format!("the audit key of the master key {key}: {why}: restore a backup")
            }
        };
        resealing.unopened.push(what);
        Ok(())
    }

    /// A user, as the commands of operators and a shell take one.
    async fn name_for_commands(&self, user: UserId) -> Result<String, ServiceError> {
        let found = self.store.user(user).await?;
        Ok(found.map_or_else(|| user.to_string(), |user| quoted(&user.name)))
    }
}

/// A name, as a shell and then `vestibule` take it: one that looks like a distinguished name, or an
/// option, would be taken for that.
fn quoted(name: &UserName) -> String {
    let text = name.as_str();
    let text = if text.starts_with('-') || text.parse::<DistinguishedName>().is_ok() {
        DistinguishedName::local(name).to_string()
    } else {
        text.to_owned()
    };
    let is_plain = |letter: char| letter.is_alphanumeric() || "@%+=:,./_-".contains(letter);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(quoted(&UserName::new(name).unwrap()), expected);
    }

    #[test]
    fn a_name_is_what_a_command_takes() {
        check("alice", "alice");
        check("Zoë.Müller@example.com", "Zoë.Müller@example.com");
        check("-x", "CN=-x,OU=local");
        check("two words", "'two words'");
        check("O'Neill", r"'O'\''Neill'");
        check("$(reboot)", "'$(reboot)'");
        check("CN=bob,OU=local", r"'CN=CN=bob\,OU=local,OU=local'");
    }
}
