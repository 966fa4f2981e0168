//! Times, tokens and budgets: arithmetic that never overflows, and forms that are read back.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use vestibule_engine::budget::{Gate, RecentFailures};
use vestibule_engine::token::{Door, Lifetimes, TokenKind};
use vestibule_engine::{DeviceId, GuessBudget, NewToken, SessionId, Timestamp, Token, UserId};

/// What RFC 3339 can write in every time zone, in microseconds.
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_207_199_999_999;

fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        any::<i64>().prop_map(Timestamp::from_micros),
        any::<i64>().prop_map(Timestamp::from_unix_seconds),
        (0..4_000_000_000_i64).prop_map(Timestamp::from_unix_seconds),
        (FIRST..=LAST).prop_map(Timestamp::from_micros),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..100_000_000_u64).prop_map(Duration::from_secs),
        any::<u64>().prop_map(Duration::from_micros),
        any::<u64>().prop_map(Duration::from_secs),
        Just(Duration::MAX),
    ]
}

fn budget() -> impl Strategy<Value = GuessBudget> {
    vec((any::<bool>(), timestamp()), 0..150).prop_map(|events| {
        events
            .into_iter()
            .fold(GuessBudget::default(), |budget, (fails, now)| {
                if fails {
                    budget.after_failure(now)
                } else {
                    budget.after_success()
                }
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        cases: 1_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn times_stay_within_the_years_that_can_be_written(t in timestamp(), by in duration()) {
        let range = Timestamp::from_micros(FIRST)..=Timestamp::from_micros(LAST);
        for t in [t, t.after(by), t.before(by)] {
            prop_assert!(range.contains(&t));
        }
        prop_assert!(t.before(by) <= t && t <= t.after(by));
    }

    #[test]
    fn what_is_added_is_between(seconds in 0..4_000_000_000_i64, micros in 0..1_000_000_000_000_u64) {
        let (t, by) = (Timestamp::from_unix_seconds(seconds), Duration::from_micros(micros));
        prop_assert_eq!(t.after(by).since(t), by);
        prop_assert_eq!(t.since(t.before(by)), by);
        prop_assert_eq!(t.after(by).before(by), t);
        prop_assert_eq!(t.since(t.after(by)), Duration::ZERO);
        prop_assert_eq!(t.unix_seconds(), seconds.unsigned_abs());
    }

    #[test]
    fn any_two_times_compare(a in timestamp(), b in timestamp()) {
        prop_assert_eq!(a.since(b) > Duration::ZERO, a > b);
        let between = i128::from(a.as_micros()) - i128::from(b.as_micros());
        let expected = u128::try_from(between).unwrap_or(0);
        prop_assert_eq!(a.since(b).as_micros(), expected);
        prop_assert_eq!(Timestamp::from_micros(a.as_micros()), a);
    }

    #[test]
    fn a_token_is_read_back(bytes in any::<[u8; 32]>()) {
        let token = Token::from_bytes(bytes);
        let text = token.reveal();
        prop_assert_eq!(Token::parse(text.expose()).unwrap().hash(), token.hash());
    }

    #[test]
    fn a_token_is_written_in_one_way(text in prop_oneof![
        any::<String>(),
        "[A-Za-z0-9+/=]{40,48}",
        "[A-Za-z0-9+/]{43}=",
        "[A-Za-z0-9+/]{43}= ?",
    ]) {
        if let Some(token) = Token::parse(&text) {
            let revealed = token.reveal();
            prop_assert_eq!(revealed.expose(), &text);
        }
    }

    #[test]
    fn a_partial_token_opens_two_doors_for_a_while(
        now in timestamp(), partial in duration(), session in duration(), later in duration(),
    ) {
        let token = Token::from_bytes([7; 32]);
        let lifetimes = Lifetimes { partial, session };
        let (id, user) = (SessionId::from_random([1; 16]), UserId::from_random([2; 16]));
        let device = DeviceId::from_random([3; 16]);
        let new = NewToken::partial(&token, id, user, device, &lifetimes, now);
        let record = new.record();
        prop_assert_eq!(record.kind, TokenKind::Partial);
        prop_assert!(!record.kind.opens(Door::Administration));
        prop_assert!(record.expires <= record.session_expires);
        if record.is_live(now.after(later)) {
            prop_assert!(later < partial && later < session);
        }
    }

    #[test]
    fn a_budget_is_read_back(budget in budget()) {
        let recent = RecentFailures::from_bytes(&budget.recent().to_bytes()).unwrap();
        let restored = GuessBudget::restore(
            budget.row(), budget.streak(), budget.waiting_until(), recent, budget.is_closed(),
        );
        prop_assert_eq!(restored, budget);
    }

    /// Days are told apart, and nothing finer: a failure counts for 30 of them, and up to one more.
    #[test]
    fn failures_count_for_thirty_days(
        steps in vec(prop_oneof![4 => 0..400_000_i64, 1 => -400_000..0_i64], 1..60),
    ) {
        let within = |times: &[i64], days: i64| {
            let last = times.last().copied().unwrap_or_default();
            times.iter().filter(|&&time| last - time < days * 86_400).count()
        };
        let (mut budget, mut now, mut times) = (GuessBudget::default(), 1_700_000_000, vec![]);
        for step in steps {
            now += step;
            budget = budget.after_failure(Timestamp::from_unix_seconds(now));
            // A clock that was set back makes no failure older than the last one.
            times.push(times.last().map_or(now, |&last| now.max(last)));
            let count = usize::try_from(budget.recent().count()).unwrap();
            prop_assert!((within(&times, 30)..=within(&times, 31)).contains(&count), "{times:?}");
        }
    }

    #[test]
    fn any_stored_budget_can_be_gone_on_with(
        row in any::<u64>(),
        streak in any::<u32>(),
        until in proptest::option::of(timestamp()),
        bytes in prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), RecentFailures::LENGTH)],
        closed in any::<bool>(),
        now in timestamp(),
    ) {
        let recent = RecentFailures::from_bytes(&bytes);
        let is_form = bytes.is_empty() || bytes.len() == RecentFailures::LENGTH;
        prop_assert_eq!(recent.is_some(), is_form);
        let Some(recent) = recent else { return Ok(()) };
        let budget = GuessBudget::restore(row, streak, until, recent, closed);
        let failed = budget.after_failure(now);
        prop_assert!(failed.recent().count() >= 1);
        prop_assert_eq!(budget.gate(now) == Gate::Closed, closed);
        prop_assert!(!closed || failed.is_closed() && failed.after_success().is_closed());
    }

    #[test]
    fn a_failure_never_opens_what_was_shut(budget in budget(), now in timestamp()) {
        let failed = budget.after_failure(now);
        prop_assert!(failed.is_closed() || !budget.is_closed());
        prop_assert_eq!(failed.streak(), budget.streak() + 1);
        prop_assert!(failed.recent().count() >= 1);
        let succeeded = budget.after_success();
        prop_assert_eq!(succeeded.is_closed(), budget.is_closed());
        prop_assert_eq!(succeeded.recent(), budget.recent());
    }
}
