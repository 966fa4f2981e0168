//! Validation that finds everything that is wrong, not the first thing.

use std::borrow::Cow;
use std::fmt;

/// One thing wrong with one field. Reads as a sentence: "`field` `message`".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldError {
    /// The path of the field in the caller's own words: `exemptedUsers[2]`.
    pub field: Cow<'static, str>,
    /// What is wrong, to be read after the name of the field. Never holds the value.
    pub message: Cow<'static, str>,
}

/// All that is wrong with an input; at least one thing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Exactly one error.
    pub fn one(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// The errors, in the order they were found.
    pub fn errors(&self) -> &[FieldError] {
        &self.0
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", error.field, error.message)?;
        }
        Ok(())
    }
}

/// Collects errors while a value is put together.
///
/// ```
/// use vestibule_engine::invalid::Fields;
///
/// let mut fields = Fields::default();
/// let port = fields.check("port", "70000".parse::<u16>().map_err(|_| "must be 1 to 65535"));
/// let name = fields.required("name", None::<&str>);
/// let errors = fields.finish(|| Some((name?, port?))).unwrap_err();
/// assert_eq!(errors.to_string(), "port must be 1 to 65535, name may not be null");
/// ```
#[derive(Debug, Default)]
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Notes an error.
    pub fn refuse(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Keeps a good value, notes the error of a bad one.
    pub fn check<T, M: Into<Cow<'static, str>>>(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        value: Result<T, M>,
    ) -> Option<T> {
        value.map_err(|message| self.refuse(field, message)).ok()
    }

    /// Keeps a value that is there, notes the lack of one that is not.
    pub fn required<T>(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        value: Option<T>,
    ) -> Option<T> {
        self.check(field, value.ok_or("may not be null"))
    }

    /// The value that `build` puts together, or all errors noted so far.
    ///
    /// # Errors
    /// Every error noted, or, should `build` find a part missing that nobody complained of, one
    /// that says so: an incomplete value never passes.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, FieldErrors> {
        if !self.0.is_empty() {
            return Err(FieldErrors(self.0));
        }
        build().ok_or_else(|| FieldErrors::one("", "is incomplete"))
    }
}
