//! The file of a backup: a header, a line for each row, and an end that vouches for all of it.
//!
//! Header and end are JSON objects. A row is the name of its table, a space, and a JSON array of its
//! values. The end has the number of rows of each table and the SHA-256 of all lines before, for
//! which the master key vouches; nothing follows it.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use vestibule_service::Keyring;
use vestibule_store::{About, CANARY, Rows, Sealed, SnapshotError, SnapshotRows, TakeSnapshot};

/// The form of the file that this program writes, and the last that it reads.
const VERSION: u32 = 1;
const FORMAT: &str = "vestibule-backup";

/// A line is at most so long.
const LONGEST: u64 = 64 << 20;
/// Rows, and octets, that are handed over at once.
const MOST_ROWS: usize = 500;
const MOST_OCTETS: usize = 1 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Header {
    format: String,
    version: u32,
    /// Which program wrote it.
    program: String,
    /// When.
    pub(super) made: String,
    /// The newest change of the schema that its rows are of.
    schema: i64,
    /// The master key that was in use.
    pub(super) key: Uuid,
    /// All master keys that it needs.
    keys: Vec<Uuid>,
}

/// What of a header every version has.
#[derive(Deserialize)]
struct Form {
    format: String,
    version: u32,
}

#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct End {
    rows: BTreeMap<String, u64>,
    sha256: String,
    key: Uuid,
    voucher: String,
}

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("it is no backup of vestibule, or its beginning is damaged")]
    NoBackup,
    #[error("it was written by a newer vestibule, in form {0}: use that one")]
    TooNew(u32),
    #[error("it is cut off: its end is missing")]
    CutOff,
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it was made with another master key: {0}")]
    OtherKey(vestibule_service::SealError),
    #[error("it needs the master key {0}, which is not in the key file")]
    NeedsKey(Uuid),
    #[error("it is no file that can be read twice: write it to one first")]
    NoFile,
}

/// Writes a backup.
pub(super) struct Writer<W> {
    to: W,
    made: String,
    keys: Vec<Uuid>,
    digest: Sha256,
    rows: BTreeMap<String, u64>,
}

/// A backup that was written.
pub(super) struct Written {
    /// How many rows are in it.
    pub(super) rows: u64,
    /// The master keys that it needs.
    pub(super) keys: Vec<Uuid>,
}

impl<W: Write + Send> TakeSnapshot for Writer<W> {
    fn begin(&mut self, about: &About) -> Result<(), SnapshotError> {
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made: self.made.clone(),
            schema: about.schema,
            key: about.in_use.ok_or("nobody has used the database")?,
            keys: about.keys.clone(),
        };
        self.keys.clone_from(&about.keys);
        Ok(self.line(&serde_json::to_string(&header)?)?)
    }

    fn row(&mut self, table: &'static str, values: &str) -> Result<(), SnapshotError> {
        if let Some(count) = self.rows.get_mut(table) {
            *count += 1;
        } else {
            self.rows.insert(table.to_owned(), 1);
        }
        Ok(self.line(&format!("{table} {values}"))?)
    }
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, made: String) -> Self {
        Self {
            to,
            made,
            keys: Vec::new(),
            digest: Sha256::new(),
            rows: BTreeMap::new(),
        }
    }

    fn line(&mut self, line: &str) -> std::io::Result<()> {
        for part in [line.as_bytes(), b"\n"] {
            self.digest.update(part);
            self.to.write_all(part)?;
        }
        Ok(())
    }

    /// The end.
    pub(super) fn end<E: From<std::io::Error>>(
        self,
        vouch: impl FnOnce(&[u8; 32]) -> Result<Sealed, E>,
    ) -> Result<Written, E> {
        let Self {
            mut to,
            made: _,
            keys,
            digest,
            rows,
        } = self;
        let digest: [u8; 32] = digest.finalize().into();
        let voucher = vouch(&digest)?;
        let all = rows.values().sum();
        let end = End {
            rows,
            sha256: hexadecimal(&digest),
            key: voucher.key_id,
            voucher: hexadecimal(&voucher.bytes),
        };
        let line = serde_json::to_string(&end).map_err(std::io::Error::from)?;
        writeln!(to, "{line}")?;
        to.flush()?;
        Ok(Written { rows: all, keys })
    }
}

/// Reads a backup. Nothing that it has handed over may be believed before it has come to its end.
pub(super) struct Reader<'k, R> {
    from: R,
    keyring: &'k Keyring,
    header: Header,
    digest: Sha256,
    rows: BTreeMap<String, u64>,
    /// A row that is of another table than those before it.
    held: Option<(String, String)>,
    /// The rows of the canary, once they were read.
    canary: Option<String>,
    ended: bool,
}

impl<'k, R: BufRead> Reader<'k, R> {
    pub(super) fn begin(mut from: R, keyring: &'k Keyring) -> Result<Self, FileError> {
        let line = line(&mut from)?.ok_or(FileError::NoBackup)?;
        let text = std::str::from_utf8(&line).map_err(|_| FileError::NoBackup)?;
        let form: Form = serde_json::from_str(text).map_err(|_| FileError::NoBackup)?;
        if form.format != FORMAT {
            return Err(FileError::NoBackup);
        }
        if form.version > VERSION {
            return Err(FileError::TooNew(form.version));
        }
        Ok(Self {
            from,
            keyring,
            header: serde_json::from_str(text).map_err(|_| FileError::NoBackup)?,
            digest: Sha256::new_with_prefix(&line).chain_update(b"\n"),
            rows: BTreeMap::new(),
            held: None,
            canary: None,
            ended: false,
        })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Reads what is left, and checks all of it; how many rows there are.
    pub(super) fn check(mut self) -> Result<u64, FileError> {
        while let Some(rows) = self.batch()? {
            if rows.table == CANARY {
                self.canary = Some(rows.rows);
            }
        }
        // Only now can it be believed.
        if let Some(canary) = &self.canary {
            let canary = canary_in(canary).ok_or(FileError::Damaged("the canary"))?;
            let checked = self.keyring.check_canary(&canary);
            checked.map_err(FileError::OtherKey)?;
        }
        let mut keys = self.header.keys.iter();
        if let Some(missing) = keys.find(|&&key| !self.keyring.has(key)) {
            return Err(FileError::NeedsKey(*missing));
        }
        Ok(self.rows.values().sum())
    }

    /// The rows that follow, of one table.
    fn batch(&mut self) -> Result<Option<Rows>, FileError> {
        let mut batch: Option<(String, String, usize)> = None;
        while let Some((table, values)) = self.row()? {
            match &mut batch {
                None => batch = Some((table, format!("[{values}"), 1)),
                Some((of, text, count))
                    if *of == table && *count < MOST_ROWS && text.len() < MOST_OCTETS =>
                {
                    text.push(',');
                    text.push_str(&values);
                    *count += 1;
                }
                Some(_) => {
                    self.held = Some((table, values));
                    break;
                }
            }
        }
        Ok(batch.map(|(table, mut rows, _)| {
            rows.push(']');
            Rows { table, rows }
        }))
    }

    /// The next row; none at the end, where all of it turned out to be as it was made.
    fn row(&mut self) -> Result<Option<(String, String)>, FileError> {
        if self.ended {
            return Ok(None);
        }
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let octets = line(&mut self.from)?.ok_or(FileError::CutOff)?;
        let text = std::str::from_utf8(&octets).map_err(|_| FileError::Damaged("a row"))?;
        if text.starts_with('{') {
            self.end(text)?;
            self.ended = true;
            return Ok(None);
        }
        self.digest.update(&octets);
        self.digest.update(b"\n");
        let (table, values) = text.split_once(' ').ok_or(FileError::Damaged("a row"))?;
        if let Some(count) = self.rows.get_mut(table) {
            *count += 1;
        } else {
            self.rows.insert(table.to_owned(), 1);
        }
        Ok(Some((table.to_owned(), values.to_owned())))
    }

    fn end(&mut self, text: &str) -> Result<(), FileError> {
        let end: End = serde_json::from_str(text).map_err(|_| FileError::Damaged("its end"))?;
        // There is one way to write it.
        if serde_json::to_string(&end).ok().as_deref() != Some(text) {
            return Err(FileError::Damaged("its end"));
        }
        let mut more = [0];
        if self.from.read(&mut more)? > 0 {
            return Err(FileError::Damaged("something follows its end"));
        }
        let digest: [u8; 32] = std::mem::take(&mut self.digest).finalize().into();
        if end.sha256 != hexadecimal(&digest) {
            return Err(FileError::Damaged("its checksum is another"));
        }
        if end.rows != self.rows {
            return Err(FileError::Damaged("it has other rows than it says"));
        }
        let voucher = Sealed {
            key_id: end.key,
            bytes: octets(&end.voucher).ok_or(FileError::Damaged("its end"))?,
        };
        match self.keyring.check_voucher(&digest, &voucher) {
            Ok(()) => Ok(()),
            Err(error @ vestibule_service::SealError::MissingKey(_)) => {
                Err(FileError::OtherKey(error))
            }
            Err(_) => Err(FileError::Damaged(
                "its checksum is not the one that the master key vouched for",
            )),
        }
    }
}

impl<R: BufRead + Send> SnapshotRows for Reader<'_, R> {
    fn schema(&self) -> i64 {
        self.header.schema
    }

    fn next(&mut self) -> Result<Option<Rows>, SnapshotError> {
        Ok(self.batch()?)
    }
}

/// The next line, which has its end; none where there is none.
fn line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, FileError> {
    let mut line = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut line)?;
    Ok((line.pop() == Some(b'\n')).then_some(line))
}

/// The canary in its rows, of which there is one.
fn canary_in(rows: &str) -> Option<Sealed> {
    let [(key, sealed, _)]: [(Uuid, String, bool); 1] = serde_json::from_str(rows).ok()?;
    Some(Sealed {
        key_id: key,
        bytes: octets(&sealed)?,
    })
}

fn hexadecimal(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        // A string takes whatever is written to it.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// The octets of digits that were written by [`hexadecimal`].
fn octets(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let octets = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let octets: Vec<u8> = octets.collect::<Option<_>>()?;
    (hexadecimal(&octets) == digits).then_some(octets)
}

#[cfg(test)]
mod tests {
    use vestibule_engine::Secret;
    use vestibule_service::{OsRandom, Place};

    use super::*;

    fn keyring(byte: u8) -> Keyring {
        Keyring::new(&Secret::new([byte; 32]))
    }

    fn vouch(digest: &[u8; 32]) -> Sealed {
        let place = Place {
            table: "backup",
            row: Uuid::nil(),
            purpose: "digest",
            detail: digest,
        };
        keyring(1).seal(&[], place, &OsRandom).unwrap()
    }

    const ROWS: [(&str, &str); 4] = [
        ("users", r#"["1","é\n"]"#),
        ("users", r#"["2",null]"#),
        ("roles", "[3]"),
        ("users", "[4]"),
    ];

    /// A backup that was begun, of a database with secrets of these keys.
    fn begun<'t>(to: &'t mut Vec<u8>, keys: &[u8]) -> Writer<&'t mut Vec<u8>> {
        let mut writer = Writer::new(to, "now".to_owned());
        let about = About {
            schema: 3,
            in_use: Some(keyring(1).id()),
            keys: keys.iter().map(|&byte| keyring(byte).id()).collect(),
        };
        writer.begin(&about).unwrap();
        writer
    }

    fn backup() -> Vec<u8> {
        let mut octets = Vec::new();
        let mut writer = begun(&mut octets, &[1]);
        for (table, values) in ROWS {
            writer.row(table, values).unwrap();
        }
        let written = writer.end(|digest| Ok::<_, std::io::Error>(vouch(digest)));
        assert_eq!(written.unwrap().rows, 4);
        octets
    }

    fn check(octets: &[u8], keyring: &Keyring) -> Result<u64, FileError> {
        Reader::begin(octets, keyring)?.check()
    }

    #[test]
    fn what_was_written_is_read() {
        let (octets, keyring) = (backup(), keyring(1));
        assert_eq!(check(&octets, &keyring).unwrap(), 4);
        let mut reader = Reader::begin(octets.as_slice(), &keyring).unwrap();
        assert_eq!((reader.header().made.as_str(), reader.schema()), ("now", 3));
        let mut found = Vec::new();
        while let Some(rows) = reader.next().unwrap() {
            found.push((rows.table, rows.rows));
        }
        let expected = [
            ("users", r#"[["1","é\n"],["2",null]]"#),
            ("roles", "[[3]]"),
            ("users", "[[4]]"),
        ];
        let expected = expected.map(|(table, rows)| (table.to_owned(), rows.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn every_bit_counts() {
        let (octets, keyring) = (backup(), keyring(1));
        for n in 0..octets.len() {
            for bit in 0..8 {
                let mut flipped = octets.clone();
                flipped[n] ^= 1 << bit;
                assert!(check(&flipped, &keyring).is_err(), "octet {n} bit {bit}");
            }
            assert!(check(&octets[..n], &keyring).is_err(), "cut at {n}");
        }
        let more = [octets.as_slice(), b"\n"].concat();
        assert!(check(&more, &keyring).is_err());
    }

    #[test]
    fn another_key_and_another_form_are_told_apart() {
        let octets = backup();
        let other = check(&octets, &keyring(2)).unwrap_err();
        assert!(matches!(other, FileError::OtherKey(_)), "{other}");
        let text = String::from_utf8(octets).unwrap();
        let newer = text.replacen("\"version\":1", "\"version\":2", 1);
        let newer = check(newer.as_bytes(), &keyring(1)).unwrap_err();
        assert!(matches!(newer, FileError::TooNew(2)), "{newer}");
        for none in ["", "\n", "{}\n", "SQLite format 3\0"] {
            let none = check(none.as_bytes(), &keyring(1)).unwrap_err();
            assert!(matches!(none, FileError::NoBackup), "{none}");
        }
    }

    /// The key in use is not the only one that something may be sealed with.
    #[test]
    fn every_key_that_is_needed_must_be_there() {
        let mut octets = Vec::new();
        let writer = begun(&mut octets, &[1, 2]);
        let written = writer.end(|digest| Ok::<_, std::io::Error>(vouch(digest)));
        let needed = [keyring(1).id(), keyring(2).id()];
        assert_eq!(written.unwrap().keys, needed);
        let error = check(&octets, &keyring(1)).unwrap_err();
        assert!(
            matches!(error, FileError::NeedsKey(key) if key == keyring(2).id()),
            "{error}"
        );
    }

    /// Whoever changes rows and the checksum, and has no key.
    #[test]
    fn a_checksum_without_the_key_is_not_believed() {
        let mut forged = Vec::new();
        let mut writer = begun(&mut forged, &[1]);
        writer.row("users", "[5]").unwrap();
        let forge = |_: &[u8; 32]| Ok::<_, std::io::Error>(vouch(&[0; 32]));
        writer.end(forge).unwrap();
        let error = check(&forged, &keyring(1)).unwrap_err();
        assert!(error.to_string().contains("vouched"), "{error}");
    }
}
