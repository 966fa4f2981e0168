//! RADIUS: S36 to S45.

mod changes;
mod decisions;
mod dialogue;
mod forgery;
mod freeradius;
mod passwords;
mod push;
mod servers;
