//! Looks a setting up on the command line, in the environment and in the file, in that order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};

use super::file::{self, Entries, Value};
use super::flags::Flags;
use super::problem::{Origin, Problem};
use super::setting::{self, Setting};

/// The variables whose names begin with `VESTIBULE_`. Only the names are printed: a value may be a
/// password.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    const PREFIX: &str = "VESTIBULE_";

    /// The environment of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }
}

impl<K: Into<String>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .filter(|(name, _): &(String, OsString)| name.starts_with(Self::PREFIX))
                .collect(),
        )
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// All that was given, and what turned out to be wrong with it so far.
pub(super) struct Source<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    path: PathBuf,
    entries: Entries,
    pub(super) problems: Vec<Problem>,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

impl<'a> Source<'a> {
    /// Reads the file, if there is one; relative paths start at `directory`.
    pub(super) fn open(flags: &'a Flags, environment: &'a Environment, directory: &Path) -> Self {
        let mut source = Self {
            flags,
            environment,
            path: PathBuf::new(),
            entries: Entries::new(),
            problems: Vec::new(),
            origins: BTreeMap::new(),
        };
        source.find_unknown_variables();
        source.read_file(directory);
        source
    }

    fn find_unknown_variables(&mut self) {
        for (name, value) in &self.environment.0 {
            if !setting::is_known_variable(name, value) {
                self.problem(
                    Origin::Variable(name.clone()),
                    "is not a variable of vestibule",
                );
            }
        }
    }

    fn read_file(&mut self, directory: &Path) {
        let variable = self.environment.get(setting::CONFIG).map(PathBuf::from);
        let named = self.flags.config.clone().or(variable);
        let must_exist = named.is_some();
        self.path = named.unwrap_or_else(|| PathBuf::from("vestibule.toml"));
        match fs::read_to_string(directory.join(&self.path)) {
            Ok(text) => self.entries = file::read(&self.path, &text, &mut self.problems),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {}
            Err(error) => {
                let origin = Origin::File {
                    path: self.path.clone(),
                    line: 0,
                    key: None,
                };
                self.problem(origin, format!("cannot be read: {error}"));
            }
        }
    }

    /// A setting that is a text, read by `parse`.
    pub(super) fn text<T, E: Display>(
        &mut self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let (value, origin) = self.find(setting)?;
        let parsed = match value {
            Value::Text(text) if text.is_empty() => Err("is empty".to_owned()),
            Value::Text(text) => parse(&text).map_err(|error| error.to_string()),
            Value::Switch(_) | Value::Number(_) | Value::Texts(_) | Value::Other => {
                Err("must be a text in quotes".to_owned())
            }
        };
        self.accept(setting, origin, parsed)
    }

    /// A setting that is on or off.
    pub(super) fn switch(&mut self, setting: &'static Setting) -> Option<bool> {
        let (value, origin) = self.find(setting)?;
        let in_file = matches!(origin, Origin::File { .. });
        let parsed = match value {
            Value::Switch(on) => Ok(on),
            Value::Text(text) if !in_file && ["true", "1"].contains(&text.as_str()) => Ok(true),
            Value::Text(text) if !in_file && ["false", "0"].contains(&text.as_str()) => Ok(false),
            Value::Text(_) | Value::Number(_) | Value::Texts(_) | Value::Other => {
                Err("must be true or false".to_owned())
            }
        };
        self.accept(setting, origin, parsed)
    }

    /// A setting that is a whole number, 1 or more.
    pub(super) fn number(&mut self, setting: &'static Setting) -> Option<std::num::NonZeroU32> {
        let (value, origin) = self.find(setting)?;
        let parsed = match value {
            Value::Number(number) => u32::try_from(number)
                .ok()
                .and_then(std::num::NonZeroU32::new),
            Value::Text(_) | Value::Switch(_) | Value::Texts(_) | Value::Other => None,
        };
        let parsed = parsed.ok_or_else(|| "must be a whole number from 1 to 4294967295".to_owned());
        self.accept(setting, origin, parsed)
    }

    /// A setting that is a list of texts, each read by `parse`.
    pub(super) fn texts<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (value, origin) = self.find(setting)?;
        let Value::Texts(texts) = value else {
            self.problem(origin, "must be a list of texts: [\"…\", \"…\"]");
            return None;
        };
        let mut items = Vec::new();
        for text in texts {
            match parse(&text) {
                Ok(item) => items.push(item),
                Err(message) => self.problem(origin.clone(), message),
            }
        }
        self.origins.insert(setting.key, origin);
        Some(items)
    }

    /// A variable that has no place in the file.
    pub(super) fn variable(&mut self, name: &'static str) -> Option<String> {
        let value = self.environment.get(name)?.clone();
        let origin = Origin::Variable(name.to_owned());
        match value.into_string() {
            Ok(text) if text.is_empty() => self.problem(origin, "is empty"),
            Ok(text) => return Some(text),
            Err(_) => self.problem(origin, "is not valid UTF-8"),
        }
        None
    }

    /// Notes something that is wrong.
    pub(super) fn problem(&mut self, origin: Origin, message: impl Into<String>) {
        self.problems.push(Problem {
            origin,
            message: message.into(),
        });
    }

    fn find(&mut self, setting: &'static Setting) -> Option<(Value, Origin)> {
        let flag = setting
            .flag
            .and_then(|flag| Some((flag, self.flags.get(flag)?)));
        if let Some((flag, text)) = flag {
            return Some((Value::Text(text.to_owned()), Origin::Flag(flag)));
        }
        if let Some(name) = setting
            .variable
            .filter(|name| self.environment.get(name).is_some())
        {
            let text = self.variable(name)?;
            return Some((Value::Text(text), Origin::Variable(name.to_owned())));
        }
        let (value, line) = self.entries.remove(setting.key)?;
        let key = Some(setting.key.to_owned());
        Some((
            value,
            Origin::File {
                path: self.path.clone(),
                line,
                key,
            },
        ))
    }

    fn accept<T>(
        &mut self,
        setting: &'static Setting,
        origin: Origin,
        parsed: Result<T, String>,
    ) -> Option<T> {
        match parsed {
            Ok(value) => {
                self.origins.insert(setting.key, origin);
                Some(value)
            }
            Err(message) => {
                self.problem(origin, message);
                None
            }
        }
    }
}
