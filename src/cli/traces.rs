//! Where traces are told to.

use super::Context;
use super::exit::Exit;
use super::fault::Fault;
use crate::config::Config;
use crate::traces::{TraceSettings, Traces, TracesError};

/// Begins to tell traces, when the environment or the file says where to.
///
/// # Errors
/// What they say cannot be used. That the program was built without traces is only said: a variable
/// may be there for all programs of a machine.
pub(super) fn begin(context: &Context, config: Option<&Config>) -> Result<Traces, Box<Fault>> {
    match Traces::begin(&settings(config)) {
        Err(error @ TracesError::NotBuilt { .. }) => {
            context.ui.complain(&Box::<Fault>::from(error));
            Ok(Traces::default())
        }
        begun => Ok(begun?),
    }
}

/// What is set.
pub(super) fn settings(config: Option<&Config>) -> TraceSettings {
    let file = config.map(|config| &config.traces);
    let endpoint = file.and_then(|file| file.endpoint.as_deref());
    TraceSettings::choose(endpoint, file.and_then(|file| file.service.as_deref()))
}

impl From<TracesError> for Box<Fault> {
    fn from(error: TracesError) -> Self {
        let (code, hint) = (error.code(), error.hint());
        Fault::new(code, Exit::Other, error.to_string()).hint(hint)
    }
}
