//! How other processes and other machines reach a running engine.

pub mod control;
pub mod http;
pub mod rest;
