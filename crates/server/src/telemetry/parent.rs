//! Which trace a request says that it belongs to: W3C Trace Context, section 3.2.
//!
//! Read to the letter: what another reader takes for another trace, or for none, is none here.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use reqwest::header::HeaderMap;

/// The span that calls, if exactly one is named and well formed. What a `tracestate` holds is
/// somebody's text, and not passed on.
pub(super) fn named(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all("traceparent").iter();
    let (Some(only), None) = (all.next(), all.next()) else {
        return None;
    };
    parse(only.to_str().ok()?)
}

/// Version, trace, span and flags. Only later versions may go on after that, with another dash.
fn parse(text: &str) -> Option<SpanContext> {
    let octet = |at| text.as_bytes().get(at).copied();
    let is_parted = [2, 35, 52].into_iter().all(|at| octet(at) == Some(b'-'));
    let version = number(text.get(..2)?)?;
    let is_ended = match octet(55) {
        None => true,
        Some(b'-') => version > 0,
        Some(_) => false,
    };
    let trace = TraceId::from(number(text.get(3..35)?)?);
    let span = SpanId::from(u64::try_from(number(text.get(36..52)?)?).ok()?);
    let flags = u8::try_from(number(text.get(53..55)?)?).ok()?;
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    let named = SpanContext::new(trace, span, flags, true, TraceState::default());
    (is_parted && is_ended && version != 0xff && named.is_valid()).then_some(named)
}

/// What digits say, all of them in lower case: the parser of numbers alone would take signs.
fn number(digits: &str) -> Option<u128> {
    let is_digit = |octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
    if !digits.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[track_caller]
    fn check(values: &[&str], sampled: Option<bool>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", HeaderValue::from_str(value).unwrap());
        }
        let named = named(&headers);
        if let Some(named) = &named {
            let ids = (named.trace_id().to_string(), named.span_id().to_string());
            assert_eq!(ids, (TRACE.to_owned(), SPAN.to_owned()));
            assert!(named.is_remote());
        }
        assert_eq!(named.map(|named| named.is_sampled()), sampled, "{values:?}");
    }

    #[test]
    fn what_names_a_trace() {
        let with = |version: &str, rest: &str| format!("{version}-{TRACE}-{SPAN}-{rest}");
        check(&[&with("00", "01")], Some(true));
        check(&[&with("00", "00")], Some(false));
        // The trace is random, says the second level of the recommendation.
        check(&[&with("00", "03")], Some(true));
        check(&[&with("00", "fe")], Some(false));
        check(&[&with("01", "01")], Some(true));
        check(
            &[&with("cc", "01-what-the-future-will-be-like")],
            Some(true),
        );
        check(&[&with("fe", "01-")], Some(true));
    }

    #[test]
    fn what_names_none() {
        let right = format!("00-{TRACE}-{SPAN}-01");
        let other = right.replace("4bf9", "4bfa");
        let zeros = "0".repeat(32);
        check(&[], None);
        check(&[&right, &right], None);
        check(&[&right, &other], None);
        for wrong in [
            String::new(),
            "00".to_owned(),
            "00-1-2-01".to_owned(),
            "00-+1-+2-01".to_owned(),
            format!("0-{TRACE}-{SPAN}-1"),
            format!("+0-{TRACE}-{SPAN}-+1"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-+{}-01", &SPAN[1..]),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-001"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}_{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}_01"),
            format!("FE-{TRACE}-{SPAN}-01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01.what"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("{right},{other}"),
            format!("00-{TRACE}-{SPAN}-ü1"),
        ] {
            check(&[&wrong], None);
        }
    }
}
