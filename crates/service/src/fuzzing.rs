//! What reads hostile octets here, for the crate `fuzzing`. No part of the use cases.

use crate::providers::hostname;

/// Whether a text may be the name or the address of a RADIUS server.
pub fn is_hostname(text: &str) -> bool {
    hostname::check(text).is_ok()
}

/// What is equal for all spellings of one name or address.
pub fn hostname_key(text: &str) -> String {
    hostname::key(text)
}
