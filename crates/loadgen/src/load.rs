//! Load: as fast as answers come, or at a pace of its own.

mod closed;
mod paced;

pub(crate) use closed::{Load, drive};
pub(crate) use paced::{Pace, Paced, paced};
