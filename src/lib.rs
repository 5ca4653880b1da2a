#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! | module | what lives there |
//! |---|---|
//! | [`language`] | definitions and their expressions; pure |
//! | [`engine`] | what can be asked, what happens, and what follows from it; pure |
//! | [`store`] | the durable log |
//! | [`runtime`] | the [`Orchestrator`]: shards, committer, timers, recovery |
//! | [`worker`] | what runs jobs: typed handlers, bound commands |
//! | [`view`] | what people see |
//! | [`traces`] | what is told to a collector (feature `otel`) |
//! | [`config`] | `everstep.toml` |
//! | `server` | the control socket and the HTTP server (feature `server`) |
//! | `cli` | the program (feature `cli`) |
//! | `testing` | clocks, stores and generators for tests (feature `testing`) |

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
pub mod traces;
pub mod view;
pub mod worker;

pub use language::{Format, Json};
pub use runtime::{Orchestrator, Outcome};
pub use worker::{JobContext, JobError};
