//! Numbers of the API.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A number of the API as a whole one. JSON has only one kind of number; `1812.0` is 1812.
pub(crate) fn whole<T>(number: f64, range: RangeInclusive<T>) -> Result<T, String>
where
    T: Copy + Display + TryFrom<u32> + Into<f64>,
{
    let (first, last) = (*range.start(), *range.end());
    let bad = || format!("must be a whole number from {first} to {last}");
    if number.fract() != 0.0 || !(first.into()..=last.into()).contains(&number) {
        return Err(bad());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    let number = number as u32;
    T::try_from(number).map_err(|_| bad())
}
