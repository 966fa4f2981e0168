//! The program `vestibule` with a clock that a test moves over a socket; all else is the same.

fn main() -> std::process::ExitCode {
    vestibule_testkit::clocked::main()
}
