//! The query of every list, and the envelope of its answer.

use vestibule_service::{Filter, ListOrder, ListQuery, Listing};
use vestibule_wire::{FilterBy, List};

/// What a list was asked for, as far as it makes sense: the rest is ignored, as pagers rely on
/// the totals only.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct ListRequest {
    pub(crate) query: ListQuery,
    queries: Vec<String>,
    filters: Vec<FilterBy>,
    order_by: Option<&'static str>,
}

impl ListRequest {
    /// Reads the query of a URL, for a list whose objects can be filtered by these fields.
    pub(crate) fn read(query: Option<&str>, fields: &[&'static str]) -> Self {
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
                other => {
                    for (field, text) in filters(other, &value, fields) {
                        request.filter(field, &text);
                    }
                }
            }
        }
        request
    }

    fn filter(&mut self, field: &'static str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.query.filters.push(Filter {
            field,
            text: text.to_lowercase(),
        });
        self.filters.push(FilterBy {
            name: field.to_owned(),
            value: text.to_owned(),
        });
    }

    /// What was filtered by, as it was given.
    pub(crate) fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let filters = self.filters.iter();
        filters.map(|filter| (filter.name.as_str(), filter.value.as_str()))
    }

    /// The same, for a list of which there are never more than so many objects at once.
    pub(crate) fn at_most(mut self, most: u64) -> Self {
        let (first, last) = self.query.range.unwrap_or((0, u64::MAX));
        self.query.range = Some((first, last.min(first.saturating_add(most - 1))));
        self
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
            filter_by: self.filters,
        }
    }
}

/// The filters of one parameter, which has one of three forms: `name=value`, `filterBy[name]=value`,
/// and `filterBy=map[name:value other:value]`, as one generated client writes it.
fn filters(key: &str, value: &str, fields: &[&'static str]) -> Vec<(&'static str, String)> {
    let known = |name: &str| fields.iter().copied().find(|field| *field == name);
    let bracketed = |text: &str, before: &str| -> Option<String> {
        let inner = text.strip_prefix(before)?.strip_suffix(']')?;
        Some(inner.to_owned())
    };
    if key != "filterBy" {
        let name = bracketed(key, "filterBy[");
        let field = known(name.as_deref().unwrap_or(key));
        return field
            .map(|field| (field, value.to_owned()))
            .into_iter()
            .collect();
    }
    // A word that does not begin with the name of a field belongs to the value before it.
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for word in bracketed(value, "map[").unwrap_or_default().split(' ') {
        let pair = word.split_once(':');
        if let Some((field, text)) = pair.and_then(|(name, text)| Some((known(name)?, text))) {
            found.push((field, text.to_owned()));
        } else if let Some((_, text)) = found.last_mut() {
            text.push(' ');
            text.push_str(word);
        }
    }
    found
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
        let list = ListRequest::read(Some(query), &[]).answer(listing, "name", |n| n);
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
        let request = ListRequest::read(Some("query=Jo+Hn&query=%C3%89&descending=TRUE&x=y"), &[]);
        assert_eq!(request.query.queries, ["jo hn", "é"]);
        assert_eq!(request.queries, ["Jo Hn", "É"]);
        assert!(!request.query.descending);
        let descending = ListRequest::read(Some("descending=true"), &[]);
        assert!(descending.query.descending);
        assert_eq!(ListRequest::read(None, &[]), ListRequest::default());
    }

    #[track_caller]
    fn filtered(query: &str, expected: &[(&str, &str)]) {
        let request = ListRequest::read(Some(query), &["name", "tags"]);
        let echoed: Vec<_> = request
            .filters
            .iter()
            .map(|filter| (filter.name.as_str(), filter.value.as_str()))
            .collect();
        assert_eq!(echoed, expected, "{query}");
        let asked = request.query.filters.iter();
        let asked: Vec<_> = asked.map(|one| (one.field, one.text.clone())).collect();
        let lower = expected
            .iter()
            .map(|(name, text)| (*name, text.to_lowercase()));
        assert_eq!(asked, lower.collect::<Vec<_>>(), "{query}");
    }

    #[test]
    fn filters_have_three_forms() {
        filtered(
            "name=us-East&tags=aws",
            &[("name", "us-East"), ("tags", "aws")],
        );
        filtered(
            "filterBy[name]=us&filterBy%5Btags%5D=a+b",
            &[("name", "us"), ("tags", "a b")],
        );
        filtered(
            "filterBy=map[name:us+east tags:a:b]",
            &[("name", "us east"), ("tags", "a:b")],
        );
        filtered("filterBy=map%5Bname%3Aus%5D", &[("name", "us")]);
        filtered("tags=a&tags=b", &[("tags", "a"), ("tags", "b")]);
    }

    #[test]
    fn what_is_no_filter_is_ignored() {
        for query in [
            "name=",
            "Name=x",
            "other=x",
            "filterBy[other]=x",
            "filterBy[name=x",
            "filterBy=x",
            "filterBy=map[name]",
            "filterBy=map[other:x]",
            "filterBy=map[]",
            "filterBy=name:x",
        ] {
            filtered(query, &[]);
        }
    }
}
