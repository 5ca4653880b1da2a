//! Task states.

use super::Reader;
use super::object::{At, MOST, Object};
use super::resource::{self, Refusal};
use crate::language::diagnostic::codes;
use crate::language::model::{Number, QueryLanguage, Resource, Service, Task};
use crate::language::source::{Content, Fault};

/// What may be told to a new execution.
const START: &[&str] = &["Input", "Name", "StateMachineArn", "TraceHeader"];

impl Reader<'_, '_> {
    pub(super) fn task(&mut self, object: &Object<'_>) -> Option<Task> {
        let timeout = self.number(object, "TimeoutSeconds", 1..=MOST);
        let heartbeat = self.number(object, "HeartbeatSeconds", 1..=MOST);
        if let (Some(Number::Fixed(timeout)), Some(Number::Fixed(beat)), Some(at)) =
            (&timeout, &heartbeat, object.get("HeartbeatSeconds"))
            && beat >= timeout
        {
            let message = format!(
                "`HeartbeatSeconds` must be less than `TimeoutSeconds`, which is {timeout}"
            );
            self.fault(&at, codes::RANGE, message);
        }
        self.credentials(object);
        let at = self.required(object, "Resource")?;
        let resource = self.resource(&at)?;
        if resource.service == Service::Execution {
            self.start_arguments(object);
        }
        Some(Task { resource, timeout, heartbeat })
    }

    /// `Credentials`, with the role that AWS takes on for the work. Here the operator's binding of
    /// the job type decides what the work may do, whatever a definition says.
    fn credentials(&mut self, object: &Object<'_>) {
        let Some(at) = object.get("Credentials") else { return };
        let hint = "the operator's binding of the job type says what the work may do";
        self.no_effect(&at, "here", hint);
        self.payload(object, "Credentials");
        if let Some(credentials) = self.literal_object(&at) {
            self.argument(&credentials, "RoleArn", Some("AWS asks for it"));
        }
    }

    fn resource(&mut self, at: &At<'_>) -> Option<Resource> {
        let raw = self.text(at)?;
        if raw.is_empty() {
            self.fault(at, codes::EMPTY, "`Resource` must not be empty");
            return None;
        }
        match resource::parse(raw) {
            Ok(resource) => Some(resource),
            Err(Refusal { message, hint }) => {
                let fault = Fault::new(codes::RESOURCE, at.node.span, message).hint(hint);
                self.faults.report(&at.place, fault);
                None
            }
        }
    }

    /// What the new execution is told, as far as it is written down.
    fn start_arguments(&mut self, object: &Object<'_>) {
        let name = arguments_name(object.language);
        let hint = "name the workflow in its `StateMachineArn`";
        let Some(at) = object.get(name) else {
            return self.missing(object, &format!("`{name}`"), Some(hint));
        };
        let Some(arguments) = self.literal_object(&at) else { return };
        for at in arguments.fields() {
            let key = at.key();
            let name = match at.language {
                QueryLanguage::JsonPath => key.strip_suffix(".$").unwrap_or(key),
                QueryLanguage::Jsonata => key,
            };
            if !START.contains(&name) {
                self.unknown(&at, START.iter().copied());
            }
        }
        self.argument(&arguments, "StateMachineArn", Some("say which workflow is started"));
    }

    /// An object of arguments, if it is written down and not worked out as a whole.
    pub(super) fn literal_object<'s>(&mut self, at: &At<'s>) -> Option<Object<'s>> {
        if at.is_jsonata() {
            return None;
        }
        // Other values than objects and arrays are reported where the template is read.
        let is_reported = at.language == QueryLanguage::JsonPath
            && !matches!(at.node.content, Content::Object(_) | Content::Array(_));
        if is_reported { None } else { self.object(at) }
    }

    /// Reports an argument that is not there, neither as a text nor computed.
    pub(super) fn argument(&mut self, arguments: &Object<'_>, name: &str, hint: Option<&str>) {
        let is_computed =
            arguments.language == QueryLanguage::JsonPath && arguments.has(&format!("{name}.$"));
        match arguments.get(name) {
            Some(at) => {
                self.text(&at);
            }
            None if is_computed => {}
            None => self.missing(arguments, &format!("`{name}`"), hint),
        }
    }
}

/// What arguments are called.
pub(super) const fn arguments_name(language: QueryLanguage) -> &'static str {
    match language {
        QueryLanguage::JsonPath => "Parameters",
        QueryLanguage::Jsonata => "Arguments",
    }
}
