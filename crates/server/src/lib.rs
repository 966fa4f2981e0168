//! The program `vestibule`: settings, lifecycle, and the commands of operators.

/// The allocator of every binary of this crate. A password hash takes 19 MiB for some milliseconds;
/// glibc keeps that much for each thread that ever hashed, this one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod cli;
pub mod client;
pub mod config;
mod doctor;
pub mod exit;
pub mod files;
pub mod fingerprint;
pub mod healthcheck;
pub mod key;
pub mod logging;
pub mod login;
mod operator;
pub mod output;
pub mod serve;
pub mod stores;
pub mod telemetry;
pub mod tls;
