//! An end that was asked for, of what must tidy up behind itself.

use tokio::signal::unix::{SignalKind, signal};

use super::OperatorError;

/// Does something until a signal asks the program to end. What was done by then is dropped, and
/// removes what it would have left behind.
pub(super) async fn unless_stopped<T>(
    work: impl Future<Output = Result<T, OperatorError>>,
) -> Result<T, OperatorError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopped = || OperatorError::Refused("stopped by a signal: nothing was done".to_owned());
    tokio::select! {
        done = work => done,
        _ = terminate.recv() => Err(stopped()),
        _ = interrupt.recv() => Err(stopped()),
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;
    use crate::files::Draft;

    #[tokio::test]
    async fn what_was_begun_is_not_left_behind() {
        for wanted in [Signal::TERM, Signal::INT] {
            let directory = tempfile::tempdir().unwrap();
            let name = directory.path().join("backup");
            let work = async {
                let _draft = Draft::beside(&name).unwrap();
                std::future::pending::<Result<(), OperatorError>>().await
            };
            let signal = async {
                // The work comes first, and with it the one who waits for signals.
                kill_process(getpid(), wanted).unwrap();
            };
            let (stopped, ()) = tokio::join!(biased; unless_stopped(work), signal);
            assert!(matches!(stopped, Err(OperatorError::Refused(_))));
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    }
}
