//! What is wrong with the settings: where it stands, and what to write instead.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Variable(String),
    /// The file.
    File {
        /// Which file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The dotted key, unless it is the file as such.
        key: Option<String>,
    },
    /// Several values that do not go together.
    Together,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(variable) => f.write_str(variable),
            Self::File { path, line, key } => {
                write!(f, "{}", path.display())?;
                if *line > 0 {
                    write!(f, ", line {line}")?;
                }
                key.iter().try_for_each(|key| write!(f, ": {key}"))
            }
            Self::Together => Ok(()),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// What, to be read after the place.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin == Origin::Together {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Everything that is wrong; never empty.
#[derive(Debug)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, are) = match self.0.len() {
            1 => (1, "error in the settings"),
            count => (count, "errors in the settings"),
        };
        write!(f, "{count} {are}:")?;
        self.iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}
