//! The query of every list, and the envelope of its answer.

use vestibule_service::{ListOrder, ListQuery, Listing};
use vestibule_wire::List;

/// What a list was asked for, as far as it makes sense: the rest is ignored, as pagers rely on
/// the totals only.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct ListRequest {
    pub(crate) query: ListQuery,
    queries: Vec<String>,
    order_by: Option<&'static str>,
}

impl ListRequest {
    /// Reads the query of a URL.
    pub(crate) fn read(query: Option<&str>) -> Self {
        let mut request = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*key {
                "query" if !value.is_empty() => {
                    request.query.queries.push(value.to_lowercase());
                    request.queries.push(value.into_owned());
                }
                "range" => request.query.range = range(&value),
                "descending" => request.query.descending = value == "true",
                "orderBy" => {
                    (request.query.order, request.order_by) = match &*value {
                        "created" => (ListOrder::Created, Some("created")),
                        "updated" => (ListOrder::Updated, Some("updated")),
                        _ => (ListOrder::Name, None),
                    }
                }
                _ => {}
            }
        }
        request
    }

    /// The same, for a list that can only be ordered by name.
    pub(crate) fn by_name_only(mut self) -> Self {
        self.query.order = ListOrder::Name;
        self.order_by = None;
        self
    }

    /// The answer. `name` is what the list calls the name that it is ordered by.
    pub(crate) fn answer<T, U>(
        self,
        listing: Listing<T>,
        name: &'static str,
        convert: impl FnMut(T) -> U,
    ) -> List<U> {
        let count = listing.matching;
        let (first, last) = self.query.range.unwrap_or((0, count));
        List {
            data: listing.items.into_iter().map(convert).collect(),
            range: format!("{first}-{}/{count}", last.min(count)),
            order_by: self.order_by.unwrap_or(name).to_owned(),
            descending: self.query.descending,
            queries: self.queries,
            total_count: listing.total,
            filter_by: Vec::new(),
        }
    }
}

/// `first-last`, both included; `None` for what is no range.
fn range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, matching: u64, range: &str, order_by: &str) {
        let listing = Listing::<u8> {
            items: vec![],
            matching,
            total: 99,
        };
        let list = ListRequest::read(Some(query)).answer(listing, "name", |n| n);
        assert_eq!(
            (list.range.as_str(), list.order_by.as_str()),
            (range, order_by),
            "{query}"
        );
    }

    #[test]
    fn the_envelope_says_what_was_understood() {
        check("", 14, "0-14/14", "name");
        check("", 0, "0-0/0", "name");
        check("range=3-5", 8, "3-5/8", "name");
        check("range=0-10", 3, "0-3/3", "name");
        check(
            "range=0-499&orderBy=created",
            1_000,
            "0-499/1000",
            "created",
        );
        check("range=nonsense&orderBy=nonsense", 2, "0-2/2", "name");
        check("range=5-3", 8, "0-8/8", "name");
        check("range=-1-3", 8, "0-8/8", "name");
    }

    #[test]
    fn queries_are_repeatable_and_decoded() {
        let request = ListRequest::read(Some("query=Jo+Hn&query=%C3%89&descending=TRUE&x=y"));
        assert_eq!(request.query.queries, ["jo hn", "é"]);
        assert_eq!(request.queries, ["Jo Hn", "É"]);
        assert!(!request.query.descending);
        assert!(ListRequest::read(Some("descending=true")).query.descending);
        assert_eq!(ListRequest::read(None), ListRequest::default());
    }
}
