//! How other processes and other machines reach a running engine.

pub mod control;
pub mod http;
mod page;
mod queues;
pub mod rest;
mod sfn;

pub use queues::shown_queues;
