//! What is printed: results to stdout, everything else to stderr.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Prints a line of the result, at once.
///
/// # Errors
/// Nobody reads it, or the disk is full.
pub fn line(text: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Prints a line for the person who looks on. If nobody does, there is nobody to tell.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a part of a line for the person who looks on.
pub fn note_part(text: impl Display) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
