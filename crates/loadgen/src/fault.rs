//! What stops a measurement.

use std::fmt;

/// Why there is no result: a sentence for whoever started the program.
#[derive(Debug)]
pub(crate) struct Fault(String);

/// What may be stopped by a fault.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what was tried when it did not work.
pub(crate) trait OrFault<T> {
    /// The value, or a fault that begins with `what`.
    fn or_fault(self, what: &str) -> Result<T>;
}

impl<T, E: fmt::Display> OrFault<T> for std::result::Result<T, E> {
    fn or_fault(self, what: &str) -> Result<T> {
        self.map_err(|error| Fault(format!("{what}: {error}")))
    }
}

impl<T> OrFault<T> for Option<T> {
    fn or_fault(self, what: &str) -> Result<T> {
        self.ok_or_else(|| Fault(what.to_owned()))
    }
}
