//! What the scenarios counted, for the table of `cargo xtask scenarios`.
//!
//! Each figure is a line `who, what, number`, between tabs, at the end of the file that
//! [`VARIABLE`] names; without it nothing is written.

use std::fs::OpenOptions;
use std::io::Write as _;

/// The variable that names the file.
pub const VARIABLE: &str = "VESTIBULE_FIGURES";

/// Notes a figure: of which scenario, what was counted, and how much of it there was.
///
/// # Panics
/// When the file that is asked for cannot be written.
pub fn note(id: &str, what: &str, number: usize) {
    let Some(file) = std::env::var_os(VARIABLE) else {
        return;
    };
    let file = OpenOptions::new().append(true).create(true).open(file);
    // One write, so that the lines of tests that run at the same time do not mix.
    let line = format!("{id}\t{what}\t{number}\n");
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .expect("the file of figures can be written");
}

/// Notes how many servers shared a database at once in the test that runs.
#[cfg(feature = "server")]
pub(crate) fn note_servers(number: usize) {
    // The thread of a test bears its name.
    if let Some(test) = std::thread::current().name() {
        note(test, "servers", number);
    }
}
