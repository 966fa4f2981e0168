//! The program, as those who run it see it.

#[cfg(test)]
mod common;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod login;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod serve;
