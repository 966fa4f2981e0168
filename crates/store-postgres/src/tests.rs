//! What only the schema and the locks of a database can do to a store.

mod connections;
mod inspect;
mod locks;
mod places;
mod upgrade;
