//! Telling a service manager how things stand: the protocol of `sd_notify(3)`, a datagram of lines to
//! the socket that `NOTIFY_SOCKET` names.
//!
//! Nothing is told when nobody asked, and nothing goes wrong when nobody listens.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::runtime::Orchestrator;

/// Names the socket: a path, or an abstract name after an `@`.
const SOCKET: &str = "NOTIFY_SOCKET";
/// Within how many microseconds a sign of life is wanted.
const WATCHDOG: &str = "WATCHDOG_USEC";
/// Whose signs of life are wanted; anybody's when it is missing.
const WATCHDOG_OF: &str = "WATCHDOG_PID";

/// The service manager, if one wants to be told.
pub(super) struct Manager(Option<(UnixDatagram, SocketAddr)>);

impl Manager {
    /// The one that the environment names.
    pub(super) fn find() -> Self {
        let found = std::env::var_os(SOCKET).map(|name| connect(&name)).transpose();
        Self(found.unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager in {SOCKET} cannot be told anything");
            None
        }))
    }

    /// Commands are taken from now on.
    pub(super) fn ready(&self, status: &str) {
        // A line ends where the status would begin another.
        let status = status.replace('\n', " ");
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// The process is about to end.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\n");
    }

    /// Gives signs of life for as long as the engine takes commands. Never returns.
    pub(super) async fn keep_watch(&self, engine: &Orchestrator) {
        let within = watchdog().filter(|_| self.0.is_some());
        let Some(within) = within else { return std::future::pending().await };
        // Half of it, as the manual says, so that one that comes late is not the last.
        let mut beat = tokio::time::interval(within / 2);
        loop {
            beat.tick().await;
            if engine.ready().is_ok() {
                self.tell("WATCHDOG=1\n");
            }
        }
    }

    fn tell(&self, lines: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(lines.as_bytes(), address)
        {
            tracing::warn!(%error, "the service manager was not told");
        }
    }
}

fn connect(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    Ok((UnixDatagram::unbound()?, address))
}

/// How often a sign of life is wanted of this process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let of = number(WATCHDOG_OF);
    let is_ours = of.is_none_or(|of| of == u64::from(std::process::id()));
    number(WATCHDOG).filter(|micros| *micros > 0 && is_ours).map(Duration::from_micros)
}
