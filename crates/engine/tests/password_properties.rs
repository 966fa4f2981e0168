//! The lockout, whatever it is set to and whenever it changes, and the least length of passwords.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use vestibule_engine::Timestamp;
use vestibule_engine::identity::MinPasswordLength;
use vestibule_engine::password::{Barred, Device, Lane, LockoutPolicy, PasswordFailures, gate};

#[derive(Clone, Debug)]
enum Action {
    /// Somebody tries a wrong password, from the known device or from elsewhere.
    Guess { known: bool },
    /// The user signs in, from the known device or from elsewhere.
    SignIn { known: bool },
    /// Time goes by, in seconds.
    Wait(u64),
    /// An administrator sets the lockout.
    Set(LockoutPolicy),
}

fn policy() -> impl Strategy<Value = LockoutPolicy> {
    let (thresholds, minutes) = (LockoutPolicy::THRESHOLDS, LockoutPolicy::MINUTES);
    let threshold = prop_oneof![4 => 1..8_u32, 1 => thresholds];
    let minutes = prop_oneof![4 => 1..4_u32, 1 => minutes];
    (threshold, minutes).prop_filter_map("out of range", |(threshold, minutes)| {
        LockoutPolicy::new(threshold, minutes)
    })
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        8 => any::<bool>().prop_map(|known| Action::Guess { known }),
        1 => any::<bool>().prop_map(|known| Action::SignIn { known }),
        4 => prop_oneof![0..90_u64, 0..100_000_u64].prop_map(Action::Wait),
        1 => policy().prop_map(Action::Set),
    ];
    vec(action, 1..150)
}

/// What a lane is thought to be, in numbers of its own.
#[derive(Clone, Copy, Default)]
struct Expected {
    failures: u32,
    locked_at: Option<u64>,
}

/// A user with one known device, and what is thought of both.
struct World {
    now: u64,
    policy: LockoutPolicy,
    account: PasswordFailures,
    device: PasswordFailures,
    expected: [Expected; 2],
    /// Guesses that were looked at, and that were not, of each lane.
    judged: [u32; 2],
    barred: [u32; 2],
}

impl World {
    fn new(policy: LockoutPolicy) -> Self {
        Self {
            now: 1_700_000_000,
            policy,
            account: PasswordFailures::default(),
            device: PasswordFailures::default(),
            expected: [Expected::default(); 2],
            judged: [0; 2],
            barred: [0; 2],
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_unix_seconds(i64::try_from(self.now).unwrap_or(i64::MAX))
    }

    /// Asks the engine, and checks what it says.
    fn gate(&self, known: bool) -> Result<Lane, Barred> {
        let device = known.then(|| Device {
            last_completed: self.time(),
            failures: self.device,
        });
        let found = gate(false, self.account, device, &self.policy, self.time());
        let expected = self.lane(known);
        let lasts = u64::from(self.policy.minutes()) * 60;
        let is_locked = expected.locked_at.is_some_and(|at| self.now < at + lasts);
        match found {
            Err(barred) => assert_eq!((barred, is_locked), (Barred::Locked, true)),
            Ok(lane) => {
                assert!(!is_locked);
                assert_eq!(matches!(lane, Lane::Device(_)), known);
                assert_eq!(lane.failures().count, expected.failures);
            }
        }
        found
    }

    fn lane(&self, known: bool) -> Expected {
        let [account, device] = self.expected;
        if known { device } else { account }
    }

    fn apply(&mut self, action: &Action) {
        match *action {
            Action::Wait(seconds) => self.now += seconds,
            Action::Set(policy) => self.policy = policy,
            Action::SignIn { known } => {
                if self.gate(known).is_ok() {
                    self.account = PasswordFailures::default();
                    let [account, device] = &mut self.expected;
                    *account = Expected::default();
                    if known {
                        self.device = PasswordFailures::default();
                        *device = Expected::default();
                    }
                }
            }
            Action::Guess { known } => self.guess(known),
        }
        for known in [false, true] {
            let _ = self.gate(known);
        }
    }

    fn guess(&mut self, known: bool) {
        let verdict = self.gate(known);
        let now = self.time();
        let [account, device] = &mut self.expected;
        let expected = if known { device } else { account };
        let count = |[account, device]: &mut [u32; 2]| {
            *if known { device } else { account } += 1;
        };
        let Ok(lane) = verdict else {
            count(&mut self.barred);
            return;
        };
        count(&mut self.judged);
        let failures = lane.failures().after_failure(&self.policy, now);
        match lane.with(failures) {
            Lane::Account(failures) => self.account = failures,
            Lane::Device(failures) => self.device = failures,
        }
        expected.failures += 1;
        if expected.failures >= self.policy.threshold() {
            expected.locked_at = Some(self.now);
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource(
            "proptest-regressions",
        ))),
        cases: 1_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// The policy of the moment decides, for the account and for the device alike, each by its own
    /// failures.
    #[test]
    fn the_policy_of_the_moment_decides(first in policy(), actions in actions()) {
        let mut world = World::new(first);
        for action in &actions {
            world.apply(action);
        }
    }

    /// Whatever the timing, nobody has more tries than the threshold, and one more for each time
    /// that the duration has gone by.
    #[test]
    fn tries_are_as_few_as_was_set(
        policy in policy(), known in any::<bool>(), waits in vec(0..400_u64, 1..100),
    ) {
        let mut world = World::new(policy);
        let began = world.now;
        for wait in waits {
            world.apply(&Action::Guess { known });
            let [account, device] = world.judged;
            let waited = (world.now - began) / policy.duration().as_secs();
            let most = u64::from(policy.threshold()) + waited;
            prop_assert!(u64::from(account + device) <= most);
            world.apply(&Action::Wait(wait));
        }
    }

    /// At once, the threshold is reached exactly.
    #[test]
    fn the_threshold_is_exact(policy in policy(), known in any::<bool>()) {
        let mut world = World::new(policy);
        for _ in 1..policy.threshold() {
            world.apply(&Action::Guess { known });
            prop_assert!(world.gate(known).is_ok());
        }
        world.apply(&Action::Guess { known });
        prop_assert!(world.gate(known).is_err());
        prop_assert!(world.gate(!known).is_ok());
        world.apply(&Action::Wait(policy.duration().as_secs()));
        prop_assert!(world.gate(known).is_ok());
    }

    /// A policy is good for every arithmetic, and nothing else is a policy.
    #[test]
    fn a_policy_is_within_its_bounds(threshold in 0..2_000_u32, minutes in 0..1_000_000_u32) {
        let good = (1..=1_000).contains(&threshold) && (1..=525_600).contains(&minutes);
        let policy = LockoutPolicy::new(threshold, minutes);
        prop_assert_eq!(policy.is_some(), good);
        if let Some(policy) = policy {
            prop_assert_eq!((policy.threshold(), policy.minutes()), (threshold, minutes));
            prop_assert_eq!(policy.duration(), Duration::from_secs(u64::from(minutes) * 60));
        }
    }

    /// What counts is characters, not octets.
    #[test]
    fn a_password_has_at_least_its_characters(
        least in MinPasswordLength::LENGTHS, password in ".{0,300}",
    ) {
        let admitted = MinPasswordLength::new(least).map(|least| least.admits(&password));
        let length = password.chars().count();
        prop_assert_eq!(admitted, Some(u32::try_from(length).is_ok_and(|n| n >= least)));
    }
}

/// The worlds above are worth something: guesses are judged and barred in both lanes.
#[test]
fn locks_do_happen() {
    let mut runner = TestRunner::deterministic();
    let (mut judged, mut barred) = ([0; 2], [0; 2]);
    for _ in 0..100 {
        let Ok(made_up) = (policy(), actions()).new_tree(&mut runner) else {
            continue;
        };
        let (first, actions) = made_up.current();
        let mut world = World::new(first);
        for action in &actions {
            world.apply(action);
        }
        for (sum, world) in [(&mut judged, world.judged), (&mut barred, world.barred)] {
            for (sum, n) in sum.iter_mut().zip(world) {
                *sum += n;
            }
        }
    }
    assert!(judged.iter().all(|&n| n > 500), "{judged:?}");
    assert!(barred.iter().all(|&n| n > 500), "{barred:?}");
}
