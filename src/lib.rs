//! Everstep: a durable state-machine orchestrator.
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod engine;
pub mod language;
pub mod runtime;
#[cfg(feature = "server")]
pub mod server;
pub mod store;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod view;
pub mod worker;
