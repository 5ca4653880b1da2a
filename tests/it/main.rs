//! Integration tests: everything here uses the crate from outside.
//!
//! One binary, because each would be linked anew; `architecture` holds that no file is forgotten.
#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test it is a failure like any other")]
#![cfg_attr(
    any(feature = "server", feature = "testing"),
    expect(clippy::indexing_slicing, reason = "in a test it is a failure like any other")
)]

mod architecture;
#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod crash;
#[cfg(feature = "testing")]
mod crash_points;
#[cfg(feature = "testing")]
mod damage;
#[cfg(feature = "cli")]
mod definitions;
mod durability;
#[cfg(any(feature = "testing", all(feature = "cli", target_os = "linux")))]
mod environment;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod examples;
#[cfg(feature = "cli")]
mod folder;
#[cfg(feature = "testing")]
mod fuzz_bodies;
mod language_table;
#[cfg(all(feature = "testing", target_os = "linux"))]
mod power_cuts;
mod promises;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod resources;
#[cfg(feature = "testing")]
mod runtime;
#[cfg(feature = "server")]
mod server;
#[cfg(all(any(feature = "cli", feature = "testing"), target_os = "linux"))]
mod shim;
#[cfg(feature = "testing")]
mod simulation;
mod source_text;
