//! The program `vestibule`: settings, lifecycle, and the commands of operators.

pub mod cli;
pub mod client;
pub mod config;
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
pub mod tls;
