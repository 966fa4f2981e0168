//! Names: what is written is read back, and nothing that is read makes trouble.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use unicode_normalization::UnicodeNormalization;
use vestibule_engine::{DistinguishedName, NameKey, UserName};

/// Text with much of what distinguished names have rules about.
fn awkward() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"[ #=,+"\\;<>a\x00\n]{0,8}"#,
        r"(CN|cn|OU|ou|=|,|\\|\\2C|\\C3\\A9|\\ff|#| |a|é|\u{1F600}){0,10}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    awkward().prop_filter("a part is never empty", |text| !text.is_empty())
}

/// RFC 4514 section 2.4 lets any octet be written in hexadecimal; so every value can be.
fn hex(value: &str) -> String {
    let digit = |b: u8| char::from_digit(b.into(), 16).unwrap_or('0');
    value
        .bytes()
        .flat_map(|b| ['\\', digit(b >> 4), digit(b & 15)])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        cases: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_distinguished_name_is_read_back(user in value(), provider in value()) {
        let text = format!("CN={},ou={}", hex(&user), hex(&provider));
        let dn: DistinguishedName = text.parse().unwrap();
        prop_assert_eq!((dn.user(), dn.provider()), (user.as_str(), provider.as_str()));
        let shown = dn.to_string();
        prop_assert!(!shown.contains('\0'));
        prop_assert_eq!(shown.parse(), Ok(dn));
    }

    #[test]
    fn the_name_of_a_user_is_read_back(name in value()) {
        let Ok(name) = UserName::new(name) else { return Ok(()) };
        let dn = DistinguishedName::local(&name);
        let read: DistinguishedName = dn.to_string().parse().unwrap();
        prop_assert_eq!(read.user(), name.as_str());
        prop_assert_eq!(read.local_key(), Some(name.key()));
    }

    #[test]
    fn what_is_read_has_one_meaning(text in awkward()) {
        let text = if text.contains('=') { text } else { format!("CN={text},OU=local") };
        if let Ok(dn) = text.parse::<DistinguishedName>() {
            prop_assert!(!dn.user().is_empty() && !dn.provider().is_empty());
            prop_assert_eq!(dn.to_string().parse(), Ok(dn));
        }
    }

    #[test]
    fn a_key_is_its_own_key(text in any::<String>()) {
        let key = NameKey::of(&text);
        prop_assert_eq!(NameKey::of(key.as_str()), key);
    }

    #[test]
    fn canonically_equivalent_names_share_a_key(text in any::<String>()) {
        let decomposed: String = text.nfd().collect();
        let composed: String = text.nfc().collect();
        prop_assert_eq!(NameKey::of(&decomposed), NameKey::of(&text));
        prop_assert_eq!(NameKey::of(&composed), NameKey::of(&text));
    }

    #[test]
    fn ascii_case_makes_no_difference(text in "[!-~]{1,20}") {
        let key = NameKey::of(&text);
        prop_assert_eq!(&NameKey::of(&text.to_uppercase()), &key);
        prop_assert_eq!(&NameKey::of(&text.to_lowercase()), &key);
    }

    #[test]
    fn a_good_name_is_kept_as_it_is(text in awkward()) {
        let good = (1..=253).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        let name = UserName::new(text.clone());
        prop_assert_eq!(name.is_ok(), good);
        if let Ok(name) = name {
            prop_assert_eq!(name.as_str(), text);
        }
    }
}

/// Not at random, because there are few enough of them: every character, before and after
/// characters that normalisation or case mapping look at.
#[test]
fn the_key_of_every_character_is_its_own_key() {
    for c in '\0'..=char::MAX {
        let key = NameKey::of(&format!("a{c}\u{301}\u{3a3}{c}"));
        assert_eq!(NameKey::of(key.as_str()), key, "{c:?}");
    }
}
