//! The signals that tell a program to end.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM (a service manager) or SIGINT (Ctrl-C).
///
/// # Errors
/// When they cannot be waited for.
pub(crate) async fn told_to_end() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
