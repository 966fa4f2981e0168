//! Durations as operators write them: `90s`, `15m`, `24h`, `7d`, or several of these: `1h30m`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("\"{text}\" is not a duration such as \"90s\", \"15m\", \"24h\" or \"7d\"");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(bad)?;
        let unit = tail.chars().next().and_then(seconds_in).ok_or_else(bad)?;
        let seconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(unit))
            .ok_or_else(bad)?;
        total = total
            .checked_add(Duration::from_secs(seconds))
            .ok_or_else(bad)?;
        // All units are one byte long.
        rest = tail.get(1..).unwrap_or_default();
    }
    if total.is_zero() {
        return Err(bad());
    }
    Ok(total)
}

const fn seconds_in(unit: char) -> Option<u64> {
    match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(60 * 60),
        'd' => Some(24 * 60 * 60),
        _ => None,
    }
}

/// Writes a duration the way it is read, in the largest unit that it is whole in.
pub(super) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    for unit in ['d', 'h', 'm'] {
        let size = seconds_in(unit).unwrap_or(1);
        // A day is written as 24h, because that is how one speaks of it.
        let enough = if unit == 'd' { 2 * size } else { size };
        if seconds >= enough && seconds.is_multiple_of(size) {
            return format!("{}{unit}", seconds / size);
        }
    }
    format!("{seconds}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(
            parse(text).ok(),
            seconds.map(Duration::from_secs),
            "{text:?}"
        );
    }

    #[test]
    fn units() {
        check("90s", Some(90));
        check("15m", Some(900));
        check("24h", Some(86_400));
        check("7d", Some(604_800));
        check("1h30m", Some(5_400));
    }

    #[test]
    fn what_is_none() {
        let all = [
            "", "15", "m", "15 m", "-5m", "1.5h", "15M", "0s", "15min", "5ä",
        ];
        for text in all {
            check(text, None);
        }
        check("99999999999999999999d", None);
        check("18446744073709551615d", None);
    }

    #[test]
    fn it_is_shown_as_it_is_read() {
        for text in ["90s", "15m", "24h", "36h", "7d", "1s"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
    }
}
