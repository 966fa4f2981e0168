//! Disclosure, integrity and inputs: S46 to S48, and what the trail says of the others.

mod audit_radius;
pub(crate) mod audit_trail;
mod inputs;
mod rows;
mod strangers;
