//! What administrators write on every object that they make.

use vestibule_engine::invalid::Fields;

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
    for (n, tag) in tags.iter().enumerate() {
        if tag.is_empty() || tag.len() > LONGEST_TAG || tag.chars().any(char::is_control) {
            fields.refuse(
                format!("tags[{n}]"),
                format!("must have 1 to {LONGEST_TAG} bytes and no control characters"),
            );
        }
    }
}
