//! Definitions made in Rust.
//!
//! What is built here is the JSON of a definition, no more: [`Definition::build`] reads it as any
//! other, with every check, so that a definition built in Rust and one written by hand are the same
//! to everything that follows. What a state of one type cannot have does not compile; what only the
//! whole shows (a `Next` that leads nowhere, an expression that cannot be read) is found by the
//! checks.
//!
//! A state ends its machine unless [`State::next`] says where it leads. The first state is where a
//! machine starts, unless [`Machine::start_at`] says otherwise.
//!
//! ```
//! use everstep::language::builder::{
//!     Catcher, Concurrency, Definition, JobType, Machine, Retrier, State,
//! };
//!
//! let each = Machine::new().state("Scan one", State::task("scan").heartbeat_seconds(30));
//! let definition = Definition::jsonata()
//!     .title("Media import")
//!     .concurrency(Concurrency::limit(1).key("{% $states.input.studio %}").refuse())
//!     .label("team", "media")
//!     .job_type("scan", JobType::new().label("Scan").unit("scenes", "scene").colour("teal"))
//!     .state(
//!         "List",
//!         State::task("list_files")
//!             .arguments(serde_json::json!({"folder": "{% $states.input.folder %}"}))
//!             .retry(Retrier::on(["States.TaskFailed"]).interval_seconds(2).max_attempts(5))
//!             .next("Scan"),
//!     )
//!     .state(
//!         "Scan",
//!         State::map(each)
//!             .title("Scan the files")
//!             .weight(8.0)
//!             .items("{% $states.input.files %}")
//!             .max_concurrency(4)
//!             .catch(Catcher::on(["States.ALL"], "Report").ignore_errors())
//!             .next("Report"),
//!     )
//!     .state("Report", State::succeed());
//!
//! let workflow = definition.build().expect("it is valid");
//! assert_eq!(workflow.title.as_deref(), Some("Media import"));
//! assert_eq!(workflow.source.as_str(), definition.text());
//! ```
//!
//! A state has no fields of another type:
//!
//! ```compile_fail
//! # use everstep::language::builder::State;
//! State::wait_seconds(5).retry(everstep::language::builder::Retrier::on(["States.ALL"]));
//! ```

mod definition;
mod handlers;
mod machine;
mod state;

#[cfg(test)]
mod tests;

pub use definition::{Concurrency, Definition, JobType};
pub use handlers::{Catcher, Retrier, Rule};
pub use machine::Machine;
pub use state::{
    AnyState, Choice, Fail, HasHandlers, HasInput, HasResult, LeadsOn, Map, Parallel, Pass, State,
    Succeed, Task, Wait,
};

use serde_json::{Map as Fields, Value};

/// The fields of something, in the order in which they were set. A field that is set again has the
/// later value.
#[derive(Debug, Clone, Default, PartialEq)]
struct Object(Fields<String, Value>);

impl Object {
    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds to a list.
    fn push(mut self, name: &str, value: Value) -> Self {
        let list = self.0.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value);
        }
        self
    }

    /// Adds to an object.
    fn put(mut self, name: &str, key: &str, value: Value) -> Self {
        let fields = self.0.entry(name).or_insert_with(|| Value::Object(Fields::new()));
        if let Value::Object(fields) = fields {
            fields.insert(key.to_owned(), value);
        }
        self
    }

    fn value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Defines methods that set a field each.
macro_rules! setters {
    ($($(#[$doc:meta])* $method:ident($argument:ident: $type:ty) => $field:literal;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $method(mut self, $argument: $type) -> Self {
                self.object = self.object.set($field, $argument);
                self
            }
        )*
    };
}
use setters;
