//! What must hold for every input of hostile hands.
//!
//! Each module is a target: a function `check` that takes octets and panics when something does
//! not hold. libFuzzer calls it from `fuzz/`; the test of this crate calls it with every file of
//! the corpora and with everything that was ever found. Nothing of this is part of a product.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a target panics; that is how it tells"
)]

pub mod headers;
pub mod names;
pub mod radius_response;
pub mod requests;
pub mod settings;
pub mod wire_json;

/// What is done with an input.
pub type Target = fn(&[u8]);

/// The targets by name: that of the binary, and of the folder of the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("headers", headers::check),
    ("names", names::check),
    ("radius_response", radius_response::check),
    ("requests", requests::check),
    ("settings", settings::check),
    ("wire_json", wire_json::check),
];
