//! Load: as fast as answers come, or at a pace of its own.

mod paced;
mod pacemaker;
mod planned;

pub(crate) use paced::{Pace, Paced, paced};
pub(crate) use pacemaker::Pacemaker;
pub(crate) use planned::{Load, Tempo, drive, drive_all};
