//! Everstep: a durable state-machine orchestrator.
pub mod config;
pub mod engine;
pub mod language;
pub mod runtime;
#[cfg(feature = "server")]
pub mod server;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod worker;
