//! What AWS calls the work of a Task, and with it the events of the work.

use serde_json::{Value, json};

use super::Names;
use super::details::payload;
use crate::engine::{Failure, FrameId, Job};
use crate::language::model::{Pattern, Resource, Service};

/// A job that is open.
pub(super) struct Work {
    /// Whose it is.
    pub(super) frame: FrameId,
    /// Who does it; nobody, for what a Map reads and writes.
    pub(super) served: Option<Served>,
    /// Whether its attempt has not ended.
    pub(super) is_open: bool,
}

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Served {
    /// Whoever asks for tasks of this ARN.
    Activity(String),
    /// A Lambda function.
    Function(String),
    /// A service, and what it is to do.
    Service(String, String),
}

impl Served {
    pub(super) fn of(resource: &Resource, names: &dyn Names) -> Self {
        let raw = &resource.raw;
        let parts: Vec<&str> = raw.splitn(6, ':').collect();
        match (parts.as_slice(), &resource.service) {
            (["arn", _, "states", "", "", rest], _) => Self::integration(rest),
            (["arn", _, "lambda", ..], _) => Self::Function(raw.clone()),
            (["arn", ..], _) => Self::Activity(raw.clone()),
            (_, Service::Execution) => Self::integration(raw),
            // Somebody else ends it: no activity has that.
            (_, Service::Job(_)) if resource.pattern == Pattern::Callback => {
                Self::Service("everstep".to_owned(), raw.clone())
            }
            (_, Service::Job(job_type)) => Self::Activity(names.activity(job_type)),
        }
    }

    /// `SERVICE:ACTION`, where the action may end in `.sync:2`.
    fn integration(name: &str) -> Self {
        let at = name.find('.').unwrap_or(name.len());
        let (service, _) = name.split_at(at);
        let cut = service.rfind(':').unwrap_or(0);
        let (service, action) = name.split_at(cut);
        Self::Service(service.to_owned(), action.trim_start_matches(':').to_owned())
    }

    /// The type of an event, as `ActivityStarted`.
    pub(super) fn event(&self, what: &str) -> String {
        match self {
            Self::Activity(_) => format!("Activity{what}"),
            Self::Function(_) => format!("LambdaFunction{what}"),
            Self::Service(..) => format!("Task{what}"),
        }
    }

    /// An object, which of a service says who and what it is.
    fn about(&self, more: Value) -> Value {
        let mut details = more;
        if let (Self::Service(service, action), Some(fields)) = (self, details.as_object_mut()) {
            fields.insert("resourceType".into(), service.as_str().into());
            fields.insert("resource".into(), action.as_str().into());
        }
        details
    }

    pub(super) fn scheduled(&self, job: &Job, names: &dyn Names, has_payloads: bool) -> Value {
        let mut details = match self {
            Self::Activity(arn) | Self::Function(arn) => {
                let mut details = payload("input", &job.input, has_payloads);
                details.insert("resource".into(), arn.as_str().into());
                details
            }
            Self::Service(..) => {
                let mut details = payload("parameters", &job.input, has_payloads);
                // They are always there, and have no details of their own.
                details.remove("parametersDetails");
                details.entry("parameters").or_insert_with(|| "".into());
                details.insert("region".into(), names.region().into());
                details
            }
        };
        let mut time = |name: &str, seconds: Option<u64>| {
            seconds.map(|seconds| details.insert(name.into(), seconds.into()))
        };
        time("timeoutInSeconds", job.timeout_seconds);
        if !matches!(self, Self::Function(_)) {
            time("heartbeatInSeconds", job.heartbeat_seconds);
        }
        self.about(details.into())
    }

    pub(super) fn started(&self, worker: &str) -> Option<Value> {
        match self {
            Self::Activity(_) => Some(json!({"workerName": worker})),
            Self::Function(_) => None,
            Self::Service(..) => Some(self.about(json!({}))),
        }
    }

    /// It gave something: what `fields` holds.
    pub(super) fn gave(&self, fields: impl Into<Value>) -> Value {
        self.about(fields.into())
    }

    pub(super) fn failed(&self, failure: &Failure) -> Value {
        self.about(super::details::failure(failure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_from_what_it_is_to_do() {
        for (name, service, action) in [
            ("states:startExecution.sync:2", "states", "startExecution.sync:2"),
            ("sqs:sendMessage.waitForTaskToken", "sqs", "sendMessage.waitForTaskToken"),
            ("aws-sdk:s3:getObject", "aws-sdk:s3", "getObject"),
            ("lambda:invoke", "lambda", "invoke"),
        ] {
            let found = Served::integration(name);
            assert_eq!(found, Served::Service(service.to_owned(), action.to_owned()));
        }
    }
}
