//! The first factor: when a password may be looked at, and what a wrong one costs.
//!
//! Wrong passwords lock an account for a while. So that a stranger cannot keep a user out that
//! way, a device from which this user completed a sign-in in the last 90 days has tries of its
//! own, which the failures of others do not touch.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::Timestamp;

/// How long a device stays known after a completed sign-in.
pub const DEVICE_KNOWN_FOR: Duration = Duration::from_hours(90 * 24);

/// When wrong passwords lock, and for how long. It goes for the account and for each known device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockoutPolicy {
    threshold: u32,
    minutes: u32,
}

impl LockoutPolicy {
    /// Failures in a row that may be chosen to lock. There is no threshold that never locks.
    pub const THRESHOLDS: RangeInclusive<u32> = 1..=1_000;
    /// Minutes that a lock may be chosen to last, up to a year.
    pub const MINUTES: RangeInclusive<u32> = 1..=365 * 24 * 60;

    /// A policy, if both numbers may be chosen.
    pub fn new(threshold: u32, minutes: u32) -> Option<Self> {
        let good = Self::THRESHOLDS.contains(&threshold) && Self::MINUTES.contains(&minutes);
        good.then_some(Self { threshold, minutes })
    }

    /// Failures in a row that lock.
    pub const fn threshold(self) -> u32 {
        self.threshold
    }

    /// For how many minutes.
    pub const fn minutes(self) -> u32 {
        self.minutes
    }

    /// For how long.
    pub fn duration(self) -> Duration {
        Duration::from_mins(self.minutes.into())
    }
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self {
            threshold: 5,
            minutes: 1,
        }
    }
}

/// Wrong passwords, of an account or of one of its known devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PasswordFailures {
    /// Since the last success.
    pub count: u32,
    /// The start of the last lock, which may be over.
    pub lock_start: Option<Timestamp>,
}

impl PasswordFailures {
    /// Whether passwords are not looked at now. A lock lasts for as long as the policy of the moment
    /// says, whenever it began.
    pub fn is_locked(self, policy: &LockoutPolicy, now: Timestamp) -> bool {
        self.lock_start
            .is_some_and(|start| now < start.after(policy.duration()))
    }

    /// The count after a wrong password: after a lock it goes on, so that the next one locks again.
    pub fn after_failure(self, policy: &LockoutPolicy, now: Timestamp) -> Self {
        let count = self.count.saturating_add(1);
        let lock_start = if count >= policy.threshold {
            Some(now)
        } else {
            self.lock_start
        };
        Self { count, lock_start }
    }
}

/// Whose tries a sign-in uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// Those of everybody who comes from a device that is not known.
    Account(PasswordFailures),
    /// Those of one known device.
    Device(PasswordFailures),
}

impl Lane {
    /// The failures so far.
    pub const fn failures(self) -> PasswordFailures {
        match self {
            Self::Account(failures) | Self::Device(failures) => failures,
        }
    }

    /// The same tries with other failures.
    pub const fn with(self, failures: PasswordFailures) -> Self {
        match self {
            Self::Account(_) => Self::Account(failures),
            Self::Device(_) => Self::Device(failures),
        }
    }
}

/// What is known of a device of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Device {
    /// The last completed sign-in from it.
    pub last_completed: Timestamp,
    /// Its own failures.
    pub failures: PasswordFailures,
}

/// Why a password is not looked at. Nobody outside learns which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Barred {
    /// The account is disabled.
    Disabled,
    /// Too many wrong passwords.
    Locked,
}

/// Decides whether a password may be looked at, and whose tries it uses.
///
/// # Errors
/// Why not. A try that is barred changes nothing.
pub fn gate(
    disabled: bool,
    account: PasswordFailures,
    device: Option<Device>,
    policy: &LockoutPolicy,
    now: Timestamp,
) -> Result<Lane, Barred> {
    if disabled {
        return Err(Barred::Disabled);
    }
    let lane = match device {
        Some(device) if now < device.last_completed.after(DEVICE_KNOWN_FOR) => {
            Lane::Device(device.failures)
        }
        Some(_) | None => Lane::Account(account),
    };
    if lane.failures().is_locked(policy, now) {
        return Err(Barred::Locked);
    }
    Ok(lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LockoutPolicy = LockoutPolicy {
        threshold: 5,
        minutes: 1,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    fn failed(times: u32) -> PasswordFailures {
        (0..times).fold(PasswordFailures::default(), |f, _| {
            f.after_failure(&POLICY, at(0))
        })
    }

    #[track_caller]
    fn check(
        account: PasswordFailures,
        device: Option<Device>,
        now: Timestamp,
        expected: Result<Lane, Barred>,
    ) {
        assert_eq!(gate(false, account, device, &POLICY, now), expected);
    }

    #[test]
    fn the_fifth_failure_locks_for_a_minute_and_then_each_one() {
        check(failed(4), None, at(0), Ok(Lane::Account(failed(4))));
        check(failed(5), None, at(59), Err(Barred::Locked));
        check(failed(5), None, at(60), Ok(Lane::Account(failed(5))));
        let again = failed(5).after_failure(&POLICY, at(60));
        assert_eq!(
            again,
            PasswordFailures {
                count: 6,
                lock_start: Some(at(60))
            }
        );
    }

    #[test]
    fn a_lock_of_long_ago_does_not_hold() {
        let old = PasswordFailures {
            count: 30,
            lock_start: Some(at(-200_000_000)),
        };
        check(old, None, at(0), Ok(Lane::Account(old)));
    }

    #[test]
    fn a_known_device_has_tries_of_its_own() {
        let device = |failures, last| Device {
            last_completed: at(last),
            failures,
        };
        let day = 86_400;
        check(
            failed(5),
            Some(device(failed(0), -day)),
            at(0),
            Ok(Lane::Device(failed(0))),
        );
        check(
            failed(0),
            Some(device(failed(5), -day)),
            at(0),
            Err(Barred::Locked),
        );
        check(
            failed(5),
            Some(device(failed(0), -90 * day)),
            at(0),
            Err(Barred::Locked),
        );
    }

    #[test]
    fn a_disabled_account_is_barred_first() {
        assert_eq!(
            gate(true, failed(5), None, &POLICY, at(0)),
            Err(Barred::Disabled)
        );
    }
}
