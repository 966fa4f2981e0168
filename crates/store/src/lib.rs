//! What the service asks of a store.
//!
//! Four rules hold for every method:
//!
//! 1. It is one transaction: all of it happens, durably, or none of it.
//! 2. What rests on something read earlier says so, and the store compares and sets: when it
//!    moved, [`Swap::Moved`] is the answer and nothing is written. Nobody reads, compares and then
//!    writes.
//! 3. Not found is `Ok(None)` or a value that says so, never an error.
//! 4. A store decides nothing about who gets in. It keeps what the engine decided.
//!
//! [`contract`] holds the suite that shows it for each store.

mod audit;
mod error;
mod found;
mod inspect;
mod keys;
mod list;
mod model;
mod outcomes;
mod snapshot;
mod traits;

#[cfg(feature = "contract")]
pub mod contract;

pub use audit::{Audit, AuditQuery, IN_DOUBT, Numbers, OpenChain, RowsOf, Taken, Trail};
pub use error::StoreError;
pub use found::Fields;
pub use inspect::{Inspect, Schema};
pub use keys::{
    KeyReport, KeyRetirement, KeyStanding, KeyState, Keys, RETIRED_KEY, Resealed, Retirement,
    SealedAt, SealedCount, SealedKind, SealedThing,
};
pub use list::{Filter, ListOrder, ListQuery, Listing};
pub use model::{
    AdminMfa, AdminMfaChange, Authority, Bearer, Canary, DeviceLane, DialogueChange,
    ExemptionEntry, FactorReset, Finish, Holdings, NewUser, PasswordFailure, PasswordHash,
    PasswordStanding, ProposedSeed, ProviderVersion, PushStart, Redemption, Sealed, SecondFactor,
    SeedState, SeedSummary, SessionStart, Settlement, StoredProvider, StoredSeed, UserChange,
};
pub use outcomes::{
    Claim, Creation, Pool, Redeeming, Removal, Replacement, RoleWrite, Swap, UserWrite,
};
pub use snapshot::{
    About, CANARY, LastingStore, Loading, Rows, SnapshotError, SnapshotRows, Snapshots,
    TakeSnapshot,
};
pub use traits::{
    Accounts, FirstFactors, Health, IdentityProviders, MfaProviders, Pushes, Roles, SecondFactors,
    Settings, Store, Tokens,
};
