//! Snapshots: which tables and columns are in one, and the statements that read and write them.
//!
//! Each row is a JSON array of the columns' values in their order. Ids and octets are hexadecimal
//! digits. The statements are put together from the names here, and from nothing else.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde::de::IgnoredAny;
use vestibule_store::{CANARY, SnapshotError};

use self::Kind::{Flag, Id, Json, Number, Octets, Text};

/// What a value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Octets,
    Json,
}

/// A table of a snapshot.
#[derive(Debug)]
pub struct Table {
    /// Its name, also in both databases.
    pub name: &'static str,
    columns: &'static [(Kind, &'static str)],
    /// Which rows are in it, and in which order.
    rows: &'static str,
}

/// How a database spells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// As SQLite does.
    Sqlite,
    /// As Postgres does.
    Postgres,
}

/// The tables, each after those that it refers to. The keys come last: until then nothing that they
/// have sealed is refused. Where the settings lie differs: they are one row of [`SETTINGS`].
pub const TABLES: &[Table] = &[
    Table {
        name: "users",
        columns: &[
            (Id, "id"),
            (Text, "name"),
            (Text, "name_key"),
            (Text, "first_name"),
            (Text, "last_name"),
            (Text, "email"),
            (Text, "phone"),
            (Text, "notes"),
            (Json, "tags"),
            (Flag, "disabled"),
            (Text, "password_hash"),
            (Number, "failed_login_attempts"),
            (Number, "lock_start"),
            (Number, "exempt_until"),
            (Json, "roles"),
            (Number, "created"),
            (Number, "updated"),
            (Text, "search"),
            (Json, "fields"),
        ],
        rows: "ORDER BY id",
    },
    Table {
        name: "known_devices",
        columns: &[
            (Id, "user_id"),
            (Id, "device_id"),
            (Number, "last_completed"),
            (Number, "failures"),
            (Number, "lock_start"),
        ],
        rows: "ORDER BY user_id, device_id",
    },
    Table {
        name: "second_factors",
        columns: &[
            (Id, "user_id"),
            (Number, "revision"),
            (Number, "streak"),
            (Number, "waiting_until"),
            (Octets, "recent"),
            (Flag, "closed"),
            (Number, "budget_row"),
            (Id, "seed_id"),
            (Id, "seed_key_id"),
            (Octets, "seed_sealed"),
            (Flag, "verified"),
            (Number, "last_step"),
            (Id, "shown_to"),
            (Number, "seed_created"),
        ],
        rows: "ORDER BY user_id",
    },
    Table {
        name: "mfa_providers",
        columns: &[
            (Id, "id"),
            (Number, "revision"),
            (Text, "name"),
            (Text, "name_key"),
            (Text, "notes"),
            (Json, "tags"),
            (Text, "input_type"),
            (Text, "kind"),
            (Number, "created"),
            (Number, "updated"),
            (Text, "search"),
            (Json, "fields"),
            (Json, "hostnames"),
            (Number, "port"),
            (Text, "protocol"),
            (Text, "mode"),
            (Number, "timeout"),
            (Flag, "use_user_password"),
            (Flag, "require_message_authenticator"),
            (Flag, "status_server"),
            (Text, "nas_identifier"),
            (Text, "source_address"),
            (Id, "shared_secret_key_id"),
            (Octets, "shared_secret_sealed"),
            (Id, "challenge_secret_key_id"),
            (Octets, "challenge_secret_sealed"),
        ],
        rows: "ORDER BY id",
    },
    Table {
        name: "administrative_roles",
        columns: &[
            (Id, "id"),
            (Text, "name"),
            (Text, "name_key"),
            (Text, "notes"),
            (Json, "tags"),
            (Json, "privileges"),
            (Flag, "administering"),
            (Number, "created"),
            (Number, "updated"),
            (Text, "search"),
            (Json, "fields"),
        ],
        rows: "ORDER BY id",
    },
    Table {
        name: "local_identity_provider",
        columns: &[
            (Text, "notes"),
            (Json, "tags"),
            (Number, "lockout_threshold"),
            (Number, "lockout_minutes"),
            (Number, "min_password_length"),
            (Number, "updated"),
        ],
        rows: "",
    },
    Table {
        name: SETTINGS,
        columns: &[(Flag, "written"), (Id, "provider"), (Number, "authority")],
        rows: "",
    },
    Table {
        name: "admin_mfa_exemptions",
        columns: &[(Number, "position"), (Text, "text"), (Id, "user_id")],
        rows: "ORDER BY position",
    },
    Table {
        name: "audit_chains",
        columns: &[(Id, "chain"), (Number, "sealed")],
        rows: "ORDER BY chain",
    },
    Table {
        name: "audit_events",
        columns: &[
            (Id, "id"),
            (Id, "chain"),
            (Number, "number"),
            (Number, "at"),
            (Text, "event"),
            (Text, "outcome"),
            (Id, "actor_id"),
            (Text, "actor"),
            (Text, "object_kind"),
            (Text, "object_id"),
            (Text, "object"),
            (Text, "address"),
            (Id, "request"),
            (Text, "reason"),
            (Text, "details"),
            (Octets, "mac"),
        ],
        rows: "ORDER BY chain, number",
    },
    Table {
        name: "audit_seals",
        columns: &[
            (Number, "number"),
            (Id, "chain"),
            (Number, "after"),
            (Number, "last"),
            (Number, "count"),
            (Number, "total"),
            (Number, "at"),
            (Octets, "previous"),
            (Octets, "hash"),
            (Id, "key_id"),
        ],
        rows: "ORDER BY number",
    },
    Table {
        name: CANARY,
        columns: &[(Id, "key_id"), (Octets, "sealed"), (Flag, "paused")],
        rows: "",
    },
    Table {
        name: "master_keys",
        columns: &[
            (Id, "key_id"),
            (Text, "state"),
            (Id, "audit_key_id"),
            (Octets, "audit_sealed"),
        ],
        // One that is to be used next has sealed nothing.
        rows: "WHERE state <> 'next' ORDER BY key_id",
    },
];

/// The settings of the second factor, with the revision of who may do what.
pub const SETTINGS: &str = "settings";

/// The table of that name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// Whether the rows of a snapshot that was made at this change of the schema are those of a
/// database at that one. The newest change has the same number in all stores: where one of them
/// needs none, it has one that does nothing.
///
/// # Errors
/// Why they are not.
pub fn fits(made: i64, known: i64) -> Result<(), SnapshotError> {
    let which = match made.cmp(&known) {
        Ordering::Equal => return Ok(()),
        Ordering::Greater => "a newer vestibule: restore it with that one",
        Ordering::Less => "an older vestibule: restore it with that one, and start this one then",
    };
    Err(format!("it was made by {which}").into())
}

impl Table {
    /// Whether each of these rows has as many values as the table has columns. What is missing would
    /// be taken for nothing, and what is too much be lost.
    ///
    /// # Errors
    /// They have not.
    pub fn check(&self, rows: &str) -> Result<(), SnapshotError> {
        let rows: Vec<Vec<IgnoredAny>> = serde_json::from_str(rows)?;
        if rows.iter().all(|row| row.len() == self.columns.len()) {
            return Ok(());
        }
        Err(format!("a row of {} has another number of values", self.name).into())
    }

    /// The statement that reads the rows, each as the text of a JSON array, from this table or
    /// what stands for it.
    pub fn read(&self, dialect: Dialect, from: &str) -> String {
        let mut columns = String::new();
        for (kind, name) in self.columns {
            if !columns.is_empty() {
                columns.push_str(", ");
            }
            let read = match (dialect, kind) {
                (_, Text | Number) | (Dialect::Postgres, Flag | Json) => (*name).to_owned(),
                (Dialect::Sqlite, Json) => format!("json({name})"),
                (Dialect::Sqlite, Flag) => {
                    format!("iif({name} IS NULL, NULL, json(iif({name}, 'true', 'false')))")
                }
                (Dialect::Sqlite, Id | Octets) => {
                    format!("iif({name} IS NULL, NULL, lower(hex({name})))")
                }
                (Dialect::Postgres, Id) => format!("replace({name}::text, '-', '')"),
                (Dialect::Postgres, Octets) => format!("encode({name}, 'hex')"),
            };
            columns.push_str(&read);
        }
        let array = match dialect {
            Dialect::Sqlite => format!("json_array({columns})"),
            Dialect::Postgres => format!("json_build_array({columns})::text"),
        };
        format!("SELECT {array} FROM {from} {}", self.rows)
    }

    /// The names of the columns.
    pub fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(_, name)| *name).collect();
        names.join(", ")
    }

    /// The values of the rows in the first parameter of a statement, which is a JSON array of
    /// them; each bears the name of its column.
    pub fn values(&self, dialect: Dialect) -> String {
        let mut values = String::new();
        for (n, (kind, name)) in self.columns.iter().enumerate() {
            if n > 0 {
                values.push_str(", ");
            }
            let value = match (dialect, kind) {
                (Dialect::Sqlite, Id | Octets) => format!("unhex(value ->> '$[{n}]')"),
                (Dialect::Sqlite, Json) => {
                    format!("iif(value ->> '$[{n}]' IS NULL, NULL, value -> '$[{n}]')")
                }
                (Dialect::Sqlite, Text | Number | Flag) => format!("value ->> '$[{n}]'"),
                (Dialect::Postgres, Id) => format!("(r->>{n})::uuid"),
                (Dialect::Postgres, Octets) => format!("decode(r->>{n}, 'hex')"),
                (Dialect::Postgres, Text) => format!("r->>{n}"),
                (Dialect::Postgres, Number) => format!("(r->>{n})::bigint"),
                (Dialect::Postgres, Flag) => format!("(r->>{n})::boolean"),
                (Dialect::Postgres, Json) => format!("nullif(r->{n}, 'null'::jsonb)"),
            };
            // A string takes whatever is written to it.
            let _ = write!(values, "{value} AS {name}");
        }
        match dialect {
            Dialect::Sqlite => format!("SELECT {values} FROM json_each(?1)"),
            Dialect::Postgres => {
                format!("SELECT {values} FROM jsonb_array_elements($1::jsonb) AS r")
            }
        }
    }

    /// The statement that writes rows.
    pub fn write(&self, dialect: Dialect) -> String {
        let (names, values) = (self.names(), self.values(dialect));
        let one = match dialect {
            Dialect::Sqlite if [CANARY, "local_identity_provider"].contains(&self.name) => {
                return format!(
                    "INSERT INTO {} (one, {names}) SELECT 1, {names} FROM ({values})",
                    self.name
                );
            }
            Dialect::Sqlite | Dialect::Postgres => values,
        };
        format!("INSERT INTO {} ({names}) {one}", self.name)
    }
}
