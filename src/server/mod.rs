//! How other processes and other machines reach a running engine.

pub mod control;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
pub mod http;
mod page;
mod queues;
pub mod rest;
mod sfn;

pub use queues::shown_queues;
