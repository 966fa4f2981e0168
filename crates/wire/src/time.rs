//! Instants as the API writes them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in microseconds since the Unix epoch. Written in UTC with six digits of fraction and
/// a `Z`, always, because clients cut at the point; one that has no date as the last that has one.
/// Read in any form of RFC 3339.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DateTime(i64);

impl DateTime {
    /// The instant `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
        let last = if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let instant = Timestamp::from_microsecond(self.0).unwrap_or(last);
        f.write_str(&PRINTER.timestamp_to_string(&instant))
    }
}

impl FromStr for DateTime {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<Timestamp>()?.as_microsecond()))
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, written: &str) {
        assert_eq!(text.parse::<DateTime>().unwrap().to_string(), written);
    }

    #[test]
    fn always_six_digits_and_a_z() {
        check("2020-04-27T09:51:03Z", "2020-04-27T09:51:03.000000Z");
        check("2022-09-15T14:15:23.542075Z", "2022-09-15T14:15:23.542075Z");
        check("2022-09-15T14:15:23.5+02:00", "2022-09-15T12:15:23.500000Z");
    }

    #[test]
    fn what_has_no_date_is_written_as_the_last_that_has_one() {
        let written = |micros| DateTime::from_micros(micros).to_string();
        assert_eq!(written(i64::MAX), "9999-12-30T22:00:00.999999Z");
        assert_eq!(written(i64::MIN), "-009999-01-02T01:59:59.000000Z");
    }

    #[test]
    fn what_is_no_instant() {
        for text in ["", "yesterday", "2020-04-27", "2020-04-27T09:51:03"] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
    }
}
