//! Users, as stores keep them.

use vestibule_engine::password::PasswordFailures;
use vestibule_engine::{Timestamp, User, UserId, UserName};

/// A user of whom nothing is known but this.
///
/// # Panics
/// When nobody can be called so.
pub fn user(id: UserId, name: &str, made: Timestamp) -> User {
    User {
        id,
        name: UserName::new(name).expect("a name"),
        first_name: String::new(),
        last_name: String::new(),
        email: None,
        phone: None,
        notes: String::new(),
        tags: Vec::new(),
        disabled: false,
        password_failures: PasswordFailures::default(),
        exempt_until: None,
        roles: Vec::new(),
        created: made,
        updated: made,
    }
}
