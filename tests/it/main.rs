//! Integration tests: everything here uses the crate from outside.
//!
//! One binary, because each would be linked anew; `architecture` holds that no file is forgotten.
#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test both are failures")]

mod architecture;
mod source_text;
