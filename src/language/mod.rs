//! PURE. How people describe a workflow: Amazon States Language, in JSON or YAML.
//!
//! Text goes in through [`parse`], which reports every fault with its place; a valid
//! [`model::Workflow`] comes out, with all its expressions parsed. Evaluating expressions also
//! lives here, but deciding when to evaluate one does not: that is the engine's part. Nothing here
//! knows about executions, clocks or files.

pub mod aws;
pub mod builder;
pub mod choice;
pub mod diagnostic;
pub mod distributed;
pub mod expression;
pub mod graph;
pub mod json;
pub mod machine_fields;
pub mod model;
mod read;
mod source;

pub use diagnostic::{Diagnostic, Severity, render};
pub use json::Json;
pub use model::{DefinitionHash, State, StateKind, StateName, Workflow};
pub use read::{Checked, Options, check, check_state, is_state, parse};
pub use source::Format;
