//! The TOML file, taken apart into single values that know their lines.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem};
use super::setting;

/// A value as it stands in the file. Only its kind is printed: a text may hold a password.
#[derive(Eq, PartialEq)]
pub(super) enum Value {
    /// Text, which is also what flags and variables hold.
    Text(String),
    /// True or false.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A list of texts.
    Texts(Vec<String>),
    /// Something that no setting is.
    Other,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Switch(_) => "Switch(…)",
            Self::Number(_) => "Number(…)",
            Self::Texts(_) => "Texts(…)",
            Self::Other => "Other",
        })
    }
}

/// The values of a file by dotted key, each with its line.
pub(super) type Entries = BTreeMap<String, (Value, usize)>;

/// Takes a file apart. Everything that is wrong with it goes to `problems`; what is right is
/// returned all the same, so that its own problems are found in the same run.
pub(super) fn read(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Entries {
    let mut reading = Reading {
        path,
        text,
        problems,
        entries: Entries::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        reading.table("", table.get_ref());
    }
    for error in errors {
        let span = error.span().unwrap_or_default();
        reading.problem(&span, None, error.message().to_owned());
    }
    reading.entries
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    problems: &'a mut Vec<Problem>,
    entries: Entries,
}

impl Reading<'_> {
    fn table(&mut self, section: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let span = name.span();
            let name: &str = name.get_ref();
            let key = if section.is_empty() {
                name.to_owned()
            } else {
                format!("{section}.{name}")
            };
            if section.is_empty() && setting::is_section(name) {
                if let DeValue::Table(table) = value.get_ref() {
                    self.table(name, table);
                } else {
                    self.problem(&span, Some(&key), format!("is a section: write [{name}]"));
                }
            } else if setting::ALL.iter().any(|setting| setting.key == key) {
                let line = self.line(&span);
                self.entries.insert(key, (convert(value.get_ref()), line));
            } else {
                self.unknown(&span, section, &key);
            }
        }
    }

    fn unknown(&mut self, span: &Range<usize>, section: &str, key: &str) {
        let known = setting::names_in(section).join(", ");
        let place = if section.is_empty() {
            "at the top of the file".to_owned()
        } else {
            format!("in [{section}]")
        };
        self.problem(
            span,
            Some(key),
            format!("is not a setting; known {place}: {known}"),
        );
    }

    fn problem(&mut self, span: &Range<usize>, key: Option<&str>, message: String) {
        let origin = Origin::File {
            path: self.path.to_owned(),
            line: self.line(span),
            key: key.map(ToOwned::to_owned),
        };
        self.problems.push(Problem { origin, message });
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or_default();
        1 + before.matches('\n').count()
    }
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Boolean(switch) => Value::Switch(*switch),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Number)
        }
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(ToOwned::to_owned))
            .collect::<Option<_>>()
            .map_or(Value::Other, Value::Texts),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Value::Other,
    }
}
