//! What administrators write on every object that they make.

use vestibule_engine::invalid::Fields;

/// Longest name, in octets.
const LONGEST_NAME: usize = 255;
/// Longest tag, in octets.
const LONGEST_TAG: usize = 1_024;
/// Longest notes, in octets.
const LONGEST_NOTES: usize = 16 * 1_024;

/// Notes what is wrong with the notes and the tags of an object.
pub(crate) fn check(notes: &str, tags: &[String], fields: &mut Fields) {
    if notes.len() > LONGEST_NOTES {
        fields.refuse(
            "notes",
            format!("may not be longer than {LONGEST_NOTES} bytes"),
        );
    }
    // Postgres has no place for it in a text.
    if notes.contains('\0') {
        fields.refuse("notes", "may not contain a null character");
    }
    check_tags("tags", tags, fields);
}

/// Notes what is wrong with tags in the field of this name.
pub(crate) fn check_tags(field: &str, tags: &[String], fields: &mut Fields) {
    for (n, tag) in tags.iter().enumerate() {
        if tag.is_empty() || tag.len() > LONGEST_TAG || tag.chars().any(char::is_control) {
            fields.refuse(
                format!("{field}[{n}]"),
                format!("must have 1 to {LONGEST_TAG} bytes and no control characters"),
            );
        }
    }
}

/// The name, if an object may have it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn good_name(name: &str) -> Result<&str, &'static str> {
    if name.is_empty() {
        return Err("may not be empty");
    }
    if name.len() > LONGEST_NAME {
        return Err("may not be longer than 255 bytes");
    }
    if name.trim() != name {
        return Err("may not begin or end with white space");
    }
    if name.chars().any(char::is_control) {
        return Err("may not contain control characters");
    }
    Ok(name)
}
