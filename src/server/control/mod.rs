//! The control socket: how a second process reaches the engine that holds a data folder's lock.
//!
//! ```text
//!  Client ── one connection for each request ──▶ session ──▶ Orchestrator
//!         ◀── one line, or lines until it hangs up ──
//! ```
//!
//! A request is one line of JSON, `{"id":1,"op":"list","limit":50}`. It is answered by
//! `{"id":1,"ok":…}` or `{"id":1,"error":{"code":…,"message":…,"hint":…}}`; before that, requests
//! for many things get a line `{"id":1,"item":…}` for each. Requests on one connection are
//! answered one after the other.
//!
//! What can be asked is what [`Orchestrator`](crate::runtime::Orchestrator) offers. Tokens of
//! attempts never leave the engine. The access control is the socket's mode and owner. The shapes
//! are for this program alone and may change with [`PROTOCOL_VERSION`].

mod client;
mod error;
#[cfg(any(test, feature = "testing"))]
pub(in crate::server) mod fuzz;
mod lines;
mod place;
mod protocol;
mod serve;
mod session;

#[cfg(test)]
mod tests;

pub use client::{Client, Follow};
pub use error::Error;
pub(in crate::server) use protocol::hint;
pub use protocol::{Hello, PROTOCOL_VERSION};
pub use serve::{ControlServer, serve};
