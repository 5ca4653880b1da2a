//! Requests to end: Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use super::fault::Fault;

/// Both signals, listened to from the moment this is made.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Box<Fault>> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Fault::new("NO_SIGNALS", Exit::Other, "signals cannot be listened to")
                    .why(error.to_string())
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one. Safe to cancel.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
