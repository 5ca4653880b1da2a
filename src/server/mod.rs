//! How other processes reach a running engine.

pub mod control;
