//! What tests of this crate, and of programs built on it, need: stores that fail on command, the
//! suite every store must pass, made-up events.

pub mod arbitrary;
pub mod faulty_store;
pub mod generate;
pub mod random;
pub mod simulate;
pub mod store_suite;

pub use faulty_store::FaultyStore;
