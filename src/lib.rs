//! Everstep: a durable state-machine orchestrator.
pub mod engine;
pub mod language;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod worker;
