//! Guessing, lockout and denial of service: S11 to S20.

mod codes;
mod every_route;
mod passwords;
mod proxies;
mod radius_budget;
