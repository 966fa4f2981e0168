//! Cutting, codes, seals, and everything that somebody without the key could do to them.

use super::*;
use crate::Secret;

fn key() -> AuditKey {
    key_of(7)
}

/// The key of the n-th master key.
fn key_of(n: u8) -> AuditKey {
    AuditKey::of_master_key(Uuid::from_u128(n.into()), &Secret::new([n; 32]))
}

fn entry(n: u128) -> Entry {
    let at = Timestamp::from_unix_seconds(1_700_000_000 + i64::try_from(n).unwrap());
    Entry::new(Uuid::from_u128(n), at, Event::SignIn, Outcome::Failure)
        .from(Uuid::from_u128(100 + n), "192.0.2.1")
        .by("alice")
        .because("the password is wrong")
        .with(Detail::PasswordFailures, n)
}

fn written(chain: u128, number: u64) -> Written {
    Written {
        chain: Uuid::from_u128(chain),
        number,
        signed: key().sign(entry(chain * 1_000 + u128::from(number))),
    }
}

/// A trail: seals, each with its rows.
type Trail = Vec<(Seal, Vec<Written>)>;

/// Four seals over two chains, with numbers that are missing.
fn trail() -> Trail {
    let mut trail = Trail::new();
    for (chain, after, numbers) in [
        (1, 0, vec![1, 2, 4]),
        (2, 0, vec![1]),
        (1, 5, vec![6, 7]),
        (2, 1, vec![2, 3]),
    ] {
        let last = if after == 0 && chain == 1 {
            5
        } else {
            *numbers.last().unwrap()
        };
        let before = trail.last().map(|(seal, _)| seal);
        let draft = Seal::next(before, Uuid::from_u128(chain), (after, last), 9);
        let mut sealing = key().seal(draft);
        let rows: Vec<_> = numbers.into_iter().map(|n| written(chain, n)).collect();
        for row in &rows {
            sealing.row(row.number, &row.signed.mac);
        }
        trail.push((sealing.finish(), rows));
    }
    trail
}

fn findings(trail: &Trail) -> Vec<(What, String)> {
    findings_with(trail, AuditKeys::default().with(key(), None))
}

fn findings_with(trail: &Trail, keys: AuditKeys) -> Vec<(What, String)> {
    let mut verifier = Verifier::new(keys);
    let mut findings = Vec::new();
    for (seal, rows) in trail {
        findings.extend(verifier.seal(seal.clone()));
        findings.extend(rows.iter().filter_map(|row| verifier.row(row)));
        findings.extend(verifier.end_of_seal());
    }
    let found = findings.into_iter();
    found.map(|finding| (finding.what, finding.place)).collect()
}

#[track_caller]
fn check(change: impl FnOnce(&mut Trail), what: What, place: &str) {
    let mut trail = trail();
    change(&mut trail);
    let found = findings(&trail);
    assert!(found.contains(&(what, place.to_owned())), "{found:?}");
}

#[test]
fn a_trail_that_nobody_touched_is_whole() {
    assert_eq!(findings(&trail()), []);
    assert_eq!(trail().last().unwrap().0.total, 8);
}

#[test]
fn every_change_is_found_where_it_was_made() {
    let row = format!("row {}", Uuid::from_u128(1_002));
    for change in [
        (|e| e.id = Uuid::from_u128(1_002)) as fn(&mut Entry),
        |e| e.at += 1,
        |e| e.event = "secondFactor".to_owned(),
        |e| e.outcome = "success".to_owned(),
        |e| e.actor_id = Some(Uuid::nil()),
        |e| e.actor = "bob".to_owned(),
        |e| e.object_kind = Some(String::new()),
        |e| e.object_id = Some("1".to_owned()),
        |e| e.object = Some("1".to_owned()),
        |e| e.address = "192.0.2.2".to_owned(),
        |e| e.request = Uuid::nil(),
        |e| e.reason = None,
        |e| e.details.push_str("x=y\n"),
    ] {
        let mut changed = entry(1_002);
        change(&mut changed);
        if changed == entry(1_002) {
            continue;
        }
        let place = format!("row {}", changed.id);
        check(
            |t| t[0].1[1].signed.entry = changed,
            What::RowAltered,
            &place,
        );
    }
    check(|t| t[0].1[1].signed.mac[0] ^= 1, What::RowAltered, &row);
}

#[test]
fn removals_insertions_and_exchanges_are_found() {
    check(|t| drop(t[0].1.remove(1)), What::RowsRemoved, "seal 1");
    check(|t| t[2].1.clear(), What::RowsRemoved, "seal 3");
    let again = written(1, 3);
    check(|t| t[0].1.insert(2, again), What::RowsInserted, "seal 1");
    check(|t| t[0].1[1] = written(1, 3), What::RowsMoved, "seal 1");
    check(|t| t[0].1.swap(0, 1), What::RowsMoved, "seal 1");
    check(|t| t[0].1[2].number = 5, What::RowsMoved, "seal 1");
    check(|t| drop(t.remove(1)), What::SealsRemoved, "seal 3");
    check(|t| drop(t.remove(0)), What::SealsRemoved, "seal 2");
    check(|t| t[1].0.hash[0] ^= 1, What::RowsMoved, "seal 2");
    check(|t| t[1].0.hash[0] ^= 1, What::SealAltered, "seal 3");
    check(|t| t[1].0.at += 1, What::RowsMoved, "seal 2");
    check(|t| t[1].0.previous[0] ^= 1, What::SealAltered, "seal 2");
    check(|t| t[2].0.after = 4, What::Gap, "seal 3");
    check(|t| t[2].0.after = 6, What::Gap, "seal 3");
    check(|t| t[1].0.total += 1, What::SealAltered, "seal 2");
}

#[test]
fn another_key_gives_other_codes() {
    let other = key_of(8);
    assert_ne!(other.mac(&entry(1)), key().mac(&entry(1)));
    let draft = || Seal::next(None, Uuid::nil(), (0, 0), 0);
    assert_ne!(
        other.seal(draft()).finish().hash,
        key().seal(draft()).finish().hash
    );
    assert_eq!(format!("{:?}", key()), "AuditKey(…)");
}

/// A trail whose first two seals and their rows are of one key, and the others of the next.
fn rotated() -> Trail {
    let (mut rotated, mut previous) = (Trail::new(), None);
    for (n, (seal, mut rows)) in trail().into_iter().enumerate() {
        let key = key_of(if n < 2 { 7 } else { 8 });
        let range = (seal.after, seal.last);
        let mut sealing = key.seal(Seal::next(previous.as_ref(), seal.chain, range, 9));
        for row in &mut rows {
            row.signed = key.sign(row.signed.entry.clone());
            sealing.row(row.number, &row.signed.mac);
        }
        let seal = sealing.finish();
        previous = Some(seal.clone());
        rotated.push((seal, rows));
    }
    rotated
}

/// Both keys; the first was retired after that seal and at that time.
fn both_keys(last_seal: u64, at: i64) -> AuditKeys {
    AuditKeys::default()
        .with(key_of(8), None)
        .with(key_of(7), Some(Retired { last_seal, at }))
}

#[test]
fn a_trail_of_several_keys_is_whole() {
    assert_eq!(findings_with(&rotated(), both_keys(2, 9)), []);
    let unknown = |seal: &str| (What::KeyUnknown, seal.to_owned());
    let found = findings_with(&rotated(), both_keys(1, 9));
    assert_eq!(found, [unknown("seal 2")]);
    let only_new = AuditKeys::default().with(key_of(8), None);
    let found = findings_with(&rotated(), only_new);
    for seal in ["seal 1", "seal 2"] {
        assert!(found.contains(&unknown(seal)), "{found:?}");
    }
}

#[test]
fn a_key_that_comes_into_use_is_learned() {
    let mut verifier = Verifier::new(AuditKeys::default().with(key_of(7), None));
    for (seal, rows) in rotated() {
        if !verifier.knows(seal.key) {
            verifier.learn(key_of(8));
        }
        assert_eq!(verifier.seal(seal), []);
        assert!(rows.iter().all(|row| verifier.row(row).is_none()));
        assert_eq!(verifier.end_of_seal(), None);
    }
}

/// Whoever has a key that was retired, and writes to the database.
#[test]
fn a_retired_key_forges_nothing() {
    let keys = || both_keys(2, 9);
    let mut trail = rotated();
    trail[1].1[0].signed = key_of(7).sign(entry(99));
    let (seal, rows) = &mut trail[1];
    let mut sealing = key_of(7).seal(seal.draft());
    for row in &*rows {
        sealing.row(row.number, &row.signed.mac);
    }
    *seal = sealing.finish();
    let altered = (What::SealAltered, "seal 3".to_owned());
    assert_eq!(findings_with(&trail, keys()), [altered]);

    let mut trail = rotated();
    trail[3].1[0].signed = key_of(7).sign(entry(99));
    let moved = (What::RowsMoved, "seal 4".to_owned());
    assert_eq!(findings_with(&trail, keys()), [moved]);
    // Long after the key was retired its code is that of nobody.
    let long_ago = both_keys(2, 9 - 11 * 60 * 1_000_000);
    let row = (What::RowAltered, format!("row {}", Uuid::from_u128(99)));
    assert!(findings_with(&trail, long_ago).contains(&row));

    let mut trail = rotated();
    trail[3].0.key = Uuid::from_u128(7);
    let unknown = (What::KeyUnknown, "seal 4".to_owned());
    assert!(findings_with(&trail, keys()).contains(&unknown));
}

#[test]
fn what_is_absent_is_not_what_is_empty() {
    let (mut absent, mut empty) = (entry(1), entry(1));
    (absent.reason, empty.reason) = (None, Some(String::new()));
    assert_ne!(key().mac(&absent), key().mac(&empty));
    let (mut one, mut two) = (entry(1), entry(1));
    (one.object_id, one.object) = (Some("ab".to_owned()), Some("c".to_owned()));
    (two.object_id, two.object) = (Some("a".to_owned()), Some("bc".to_owned()));
    assert_ne!(key().mac(&one), key().mac(&two));
}

#[track_caller]
fn check_clean(text: &str, expected: &str) {
    assert_eq!(clean(text), expected);
}

#[test]
fn texts_are_cut_by_characters_and_say_so() {
    let long = "é".repeat(LONGEST);
    check_clean(&long, &long);
    check_clean(&"é".repeat(LONGEST + 1), &format!("{long}{CUT}"));
    check_clean(&"é".repeat(10_000), &format!("{long}{CUT}"));
    check_clean("", "");
}

#[test]
fn nothing_ends_a_line_or_moves_a_cursor() {
    check_clean(
        "a\r\nb\t\0\u{1b}[2J\u{7f}",
        "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}\u{fffd}[2J\u{fffd}",
    );
    check_clean(
        "\u{202e}x\u{2028}\u{2066}\u{85}",
        "\u{fffd}x\u{fffd}\u{fffd}\u{fffd}",
    );
    check_clean("Ünïcödé 日本", "Ünïcödé 日本");
}

#[test]
fn details_are_read_back() {
    let entry = entry(3)
        .with(Detail::ReplyMessage, "a=b\nstep=1")
        .with(Detail::Step, 7);
    let details: Vec<_> = entry.details().collect();
    assert_eq!(
        details,
        [
            ("passwordFailures", "3"),
            ("replyMessage", "a=b\u{fffd}step=1"),
            ("step", "7"),
        ]
    );
    assert_eq!(entry.detail(Detail::Step), Some("7"));
    assert_eq!(entry.detail(Detail::Offset), None);
}
