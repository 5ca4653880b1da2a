//! What tests of this crate, and of programs built on it, need: stores that fail on command, a disk
//! that loses what is not durable, the suite every store must pass, made-up events and definitions,
//! a clock that is moved by hand, a simulator of one execution, the bodies of fuzz targets.

pub mod arbitrary;
mod children;
pub mod clock;
pub mod crash_points;
pub mod damage;
pub mod delete_suite;
#[cfg(test)]
mod failing_reads;
pub mod faulty_store;
pub mod fuzz;
pub mod generate;
mod generate_cleanup;
mod generate_flow;
mod generate_work;
mod image;
pub mod mishap_suite;
pub mod random;
pub mod sim;
mod sim_disk;
pub mod simulate;
pub mod store_suite;

pub use clock::{SeededIds, VirtualClock};
pub use faulty_store::FaultyStore;
pub use sim_disk::at_once;

pub use crate::store::{Crash, SimDisk, Step};
