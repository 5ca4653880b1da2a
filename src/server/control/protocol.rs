//! What goes over the socket.
//!
//! Documents travel as they stand, without being parsed. Two things need care: a line break between
//! the tokens of a document would end the line, so it becomes a space; and an absent document looks
//! like the document `null`, so an answer names those that are present (see [`Wire`]).

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::error::{BUSY, NO_SUCH_DEFINITION, PROTOCOL};
use crate::engine::execution::Activity;
use crate::engine::{
    Event, Execution, ExecutionId, Held, RedriveRequest, Rejection, Timestamp, Token,
};
use crate::language::{DefinitionHash, Format, Json};
use crate::runtime::{
    self, Compacted, Delete, Deleted, Deployed, Paused, Queues, Record, Rows, Start, Summary,
};
use crate::view::RetryCard;

/// The version of the protocol. Both sides must speak the same.
pub const PROTOCOL_VERSION: u32 = 3;

/// The longest request, in bytes: the largest input, escaped, with room around it.
pub(super) const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// The longest line of an answer, in bytes: as much as the largest execution that a log can hold.
pub(super) const MAX_ANSWER_BYTES: usize = 512 * 1024 * 1024;

/// What stands where a token was.
const HIDDEN: Token = Token([0; 16]);

/// Faults of a definition that a refusal names.
const FAULTS_NAMED: usize = 20;

/// The engine that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of its program.
    pub program: String,
    /// The version of the control protocol that it speaks.
    pub protocol: u32,
    /// Its process.
    pub pid: u32,
    /// Its data folder.
    pub data: String,
}

/// Something asked of the engine. `op` names the variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Request {
    Hello,
    Deploy(Deploy),
    Start(Start),
    Cancel(Cancel),
    Redrive(Redrive),
    SkipBackoff(One),
    Rerun(RerunOf),
    Pause(Pause),
    Resume(Resume),
    PauseWorkflow(Hold),
    ResumeWorkflow(LetGo),
    PauseJobType(Hold),
    ResumeJobType(LetGo),
    Paused,
    Held,
    CompleteCallback(Complete),
    FailCallback(Fail),
    CallbackHeartbeat(Beat),
    Execution(One),
    ExecutionAt(Past),
    Ended(One),
    Definition(OneDefinition),
    List(List),
    Find(Find),
    History(One),
    Log(LogPart),
    LastPosition,
    Queues(One),
    Follow(FollowFrom),
    Workflows,
    JobTypes,
    Checkpoint,
    Delete(DeleteSome),
    Compact(CompactLog),
}

macro_rules! parameters {
    ($($name:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) struct $name { $(pub(super) $field: $type,)* }
    )*};
}

parameters! {
    Deploy { name: String, text: String, format: Format, }
    Cancel { execution: ExecutionId, by: String, reason: Option<String>, force: bool, }
    Pause { execution: ExecutionId, by: String, reason: Option<String>, }
    Redrive { execution: ExecutionId, by: String, reason: Option<String>, request: RedriveRequest, }
    RerunOf { execution: ExecutionId, name: Option<String>, inputs: Vec<Json>, same_version: bool, }
    Resume { execution: ExecutionId, by: String, }
    Hold { name: String, by: String, reason: Option<String>, }
    LetGo { name: String, by: String, }
    One { execution: ExecutionId, }
    Past { execution: ExecutionId, sequence: u64, }
    OneDefinition { definition: DefinitionHash, }
    Complete { token: String, output: Json, }
    Fail { token: String, error: String, cause: String, }
    Beat { token: String, }
    List { rows: Rows, limit: usize, }
    Find { text: String, }
    LogPart { from: u64, limit: usize, }
    FollowFrom { from: u64, only: Option<ExecutionId>, }
    DeleteSome { executions: Vec<ExecutionId>, wish: Delete, }
    CompactLog { forget_before: Option<Timestamp>, }
}

/// A request that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadRequest {
    /// Its id, if that much could be read.
    pub(super) id: Option<u64>,
    pub(super) refusal: Refusal,
}

impl Request {
    /// Reads a line. A tagged enum would do so too, but cannot hold a document as it stands.
    pub(super) fn read(line: &[u8]) -> Result<(u64, Self), BadRequest> {
        #[derive(Deserialize)]
        struct Head<'a> {
            id: Option<u64>,
            #[serde(borrow)]
            op: Option<Cow<'a, str>>,
        }
        let bad = |id: Option<u64>, reason: &dyn ToString| BadRequest {
            id,
            refusal: Refusal::malformed(reason),
        };
        let head: Head<'_> = serde_json::from_slice(line).map_err(|error| bad(None, &error))?;
        let id = head.id.ok_or_else(|| bad(None, &"the request has no \"id\""))?;
        let op = head.op.ok_or_else(|| bad(Some(id), &"the request has no \"op\""))?;
        let request = Self::read_op(&op, line).map_err(|error| bad(Some(id), &error))?;
        let request =
            request.ok_or_else(|| bad(Some(id), &format!("there is no \"op\" {op:?}")))?;
        Ok((id, request))
    }

    fn read_op(op: &str, line: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        fn parameters<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
            serde_json::from_slice(line)
        }
        Ok(Some(match op {
            "hello" => Self::Hello,
            "deploy" => Self::Deploy(parameters(line)?),
            "start" => {
                let start: Start = parameters(line)?;
                // A document that the engine could not parse later is refused where it enters.
                serde_json::from_str::<serde_json::Value>(start.input.as_str())?;
                Self::Start(start)
            }
            "cancel" => Self::Cancel(parameters(line)?),
            "redrive" => {
                let redrive: Redrive = parameters(line)?;
                for (_, value) in &redrive.request.set {
                    serde_json::from_str::<serde_json::Value>(value.as_str())?;
                }
                Self::Redrive(redrive)
            }
            "skip_backoff" => Self::SkipBackoff(parameters(line)?),
            "rerun" => {
                let rerun: RerunOf = parameters(line)?;
                for input in &rerun.inputs {
                    serde_json::from_str::<serde_json::Value>(input.as_str())?;
                }
                Self::Rerun(rerun)
            }
            "pause" => Self::Pause(parameters(line)?),
            "resume" => Self::Resume(parameters(line)?),
            "pause_workflow" => Self::PauseWorkflow(parameters(line)?),
            "resume_workflow" => Self::ResumeWorkflow(parameters(line)?),
            "pause_job_type" => Self::PauseJobType(parameters(line)?),
            "resume_job_type" => Self::ResumeJobType(parameters(line)?),
            "paused" => Self::Paused,
            "held" => Self::Held,
            "complete_callback" => {
                let complete: Complete = parameters(line)?;
                // As the input of a start.
                serde_json::from_str::<serde_json::Value>(complete.output.as_str())?;
                Self::CompleteCallback(complete)
            }
            "fail_callback" => Self::FailCallback(parameters(line)?),
            "callback_heartbeat" => Self::CallbackHeartbeat(parameters(line)?),
            "execution" => Self::Execution(parameters(line)?),
            "execution_at" => Self::ExecutionAt(parameters(line)?),
            "ended" => Self::Ended(parameters(line)?),
            "definition" => Self::Definition(parameters(line)?),
            "list" => Self::List(parameters(line)?),
            "find" => Self::Find(parameters(line)?),
            "history" => Self::History(parameters(line)?),
            "log" => Self::Log(parameters(line)?),
            "last_position" => Self::LastPosition,
            "queues" => Self::Queues(parameters(line)?),
            "follow" => Self::Follow(parameters(line)?),
            "workflows" => Self::Workflows,
            "job_types" => Self::JobTypes,
            "checkpoint" => Self::Checkpoint,
            "delete" => Self::Delete(parameters(line)?),
            "compact" => Self::Compact(parameters(line)?),
            _ => return Ok(None),
        }))
    }

    /// Writes a line, its end included.
    pub(super) fn line(&self, id: u64) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            id: u64,
            #[serde(flatten)]
            request: &'a Request,
        }
        line_of(&Line { id, request: self })
    }
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: &str, message: impl ToString, hint: Option<&str>) -> Self {
        Self { code: code.to_owned(), message: message.to_string(), hint: hint.map(str::to_owned) }
    }

    pub(super) fn malformed(reason: &dyn ToString) -> Self {
        let message = format!("the request cannot be read: {}", reason.to_string());
        Self::new(PROTOCOL, message, None)
    }

    pub(super) fn too_long(what: &str, limit: usize) -> Self {
        let message = format!("{what} has more than {limit} bytes");
        let hint = "put large data into a file or a store of its own, and pass its name";
        Self::new(PROTOCOL, message, Some(hint))
    }

    pub(super) fn busy(limit: usize) -> Self {
        let message = format!("{limit} clients are connected to the engine, and no more may be");
        let hint = "end commands that wait or follow, then try again";
        Self::new(BUSY, message, Some(hint))
    }

    pub(super) fn no_such_definition(hash: DefinitionHash) -> Self {
        Self::new(NO_SUCH_DEFINITION, format!("there is no definition {hash}"), None)
    }
}

impl From<runtime::Error> for Refusal {
    fn from(error: runtime::Error) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string(), hint: hint(&error) }
    }
}

/// What to do about an error.
pub(in crate::server) fn hint(error: &runtime::Error) -> Option<String> {
    let text = match error {
        runtime::Error::InvalidDefinition { faults } => {
            let named = faults.iter().take(FAULTS_NAMED).map(ToString::to_string);
            return Some(named.collect::<Vec<_>>().join("\n"));
        }
        runtime::Error::NoSuchExecution { .. } => {
            "list the executions to see which there are; only unique beginnings of handles count"
        }
        runtime::Error::Deleted { .. } => "nothing is left of it but who deleted it, and when",
        runtime::Error::NeededByParent { .. } => "delete the execution that began it",
        runtime::Error::Changed { .. } => "look at it again",
        runtime::Error::NoSuchEvent { .. } => "look at the history for the events that there are",
        runtime::Error::AmbiguousHandle { .. } => "give more letters of the handle",
        runtime::Error::NoSuchWorkflow { .. } => "deploy the workflow first, or mend the name",
        runtime::Error::NoSuchJobType { .. } | runtime::Error::NoSuchWorker { .. } => {
            "mend the name"
        }
        runtime::Error::NoRemoteWorkers => "open the system with remote workers",
        runtime::Error::TooManyPolls { .. } => "let each worker ask for several jobs at once",
        runtime::Error::AlreadyPaused { .. } | runtime::Error::NotPaused { .. } => {
            "list what is paused"
        }
        runtime::Error::UnknownJobTypes { .. } => {
            "bind the job type to a command or handler, and start the engine again"
        }
        runtime::Error::Stopping => "wait until the engine has been started again",
        runtime::Error::Failed { .. } => "mend the cause, then start the engine again",
        runtime::Error::NameTaken { .. } => "give another name, or look at the one that has it",
        runtime::Error::BadToken => "pass the token on as it was given, all of it",
        runtime::Error::Rejected(Rejection::PlaceTaken { .. }) => {
            "look at who has it, or start it again when that has ended"
        }
        runtime::Error::Rejected(Rejection::NotBackingOff { .. }) => {
            "look at what it waits for; only what waits to be tried again can be had at once"
        }
        runtime::Error::Rejected(Rejection::PartOfAnother { .. }) => "retry that execution instead",
        runtime::Error::Rejected(Rejection::StepNotEntered { .. }) => {
            "name a step that was entered, or leave it out"
        }
        runtime::Error::Rejected(_) | runtime::Error::BadName { .. } | runtime::Error::Store(_) => {
            return None;
        }
    };
    Some(text.to_owned())
}

/// One line of an answer, to be written.
#[derive(Serialize)]
pub(super) struct AnswerLine<'a, T: Serialize> {
    /// None when the request's own could not be read.
    pub(super) id: Option<u64>,
    #[serde(flatten)]
    pub(super) part: Part<'a, T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) nulls: Vec<usize>,
}

/// What a line of an answer says.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part<'a, T: Serialize> {
    /// The whole answer, or the end of the items.
    Ok(&'a T),
    /// One of several things.
    Item(&'a T),
    /// There is no answer.
    Error(&'a Refusal),
}

/// One line of an answer, as read.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) id: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(super) ok: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) item: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) error: Option<Refusal>,
    #[serde(default)]
    nulls: Vec<usize>,
}

/// Keeps `null` apart from a field that is not there.
fn present<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(source).map(Some)
}

impl Answer {
    /// Reads what `ok` or `item` holds.
    pub(super) fn value<T: Wire>(&self, text: &RawValue) -> Result<T, serde_json::Error> {
        let mut value: T = serde_json::from_str(text.get())?;
        if !self.nulls.is_empty() {
            for (index, document) in value.optional_documents().into_iter().enumerate() {
                if self.nulls.contains(&index) {
                    *document = Some(Json::null());
                }
            }
        }
        Ok(value)
    }
}

/// What answers hold.
pub(super) trait Wire: Serialize + DeserializeOwned {
    /// Takes out what must not leave the engine.
    fn make_public(&mut self) {}

    /// The fields whose absence looks like the document `null`, always in the same order.
    fn optional_documents(&mut self) -> Vec<&mut Option<Json>> {
        Vec::new()
    }

    /// Which of those are the document `null`, by index.
    fn nulls(&mut self) -> Vec<usize> {
        let is_null = |document: &Option<Json>| {
            document.as_ref().is_some_and(|document| document.as_str() == "null")
        };
        let documents = self.optional_documents().into_iter().enumerate();
        documents.filter(|(_, document)| is_null(document)).map(|(index, _)| index).collect()
    }
}

impl Wire for Execution {
    fn make_public(&mut self) {
        for job in self.jobs.values_mut() {
            job.token = None;
            job.callback = job.callback.map(|_| HIDDEN);
        }
    }

    fn optional_documents(&mut self) -> Vec<&mut Option<Json>> {
        let mut documents = vec![&mut self.output];
        for frame in self.frames.values_mut() {
            documents.push(&mut frame.result);
            if let Activity::Forked(fork) = &mut frame.activity {
                documents.push(&mut fork.batch_input);
            }
        }
        documents.extend(self.steps.values_mut().map(|step| &mut step.result));
        documents
    }
}

impl Wire for Record {
    fn make_public(&mut self) {
        if matches!(&*self.event, Event::JobStarted(_))
            && let Event::JobStarted(started) = Arc::make_mut(&mut self.event)
        {
            started.token = HIDDEN;
        }
        if matches!(&*self.event, Event::JobScheduled(_))
            && let Event::JobScheduled(scheduled) = Arc::make_mut(&mut self.event)
        {
            scheduled.callback = scheduled.callback.map(|_| HIDDEN);
        }
    }

    fn optional_documents(&mut self) -> Vec<&mut Option<Json>> {
        // Only these are unshared: a record is shown to many.
        if !matches!(&*self.event, Event::ForkStarted(_) | Event::MachineSettled(_)) {
            return Vec::new();
        }
        match Arc::make_mut(&mut self.event) {
            Event::ForkStarted(started) => vec![&mut started.batch_input],
            Event::MachineSettled(settled) => {
                vec![&mut settled.setup.logging, &mut settled.setup.tracing]
            }
            _ => Vec::new(),
        }
    }
}

impl Wire for Summary {}
impl Wire for Paused {}
impl Wire for Held {}
impl Wire for Deleted {}
impl Wire for Compacted {}
impl Wire for Hello {}
impl Wire for Deployed {}
impl Wire for Queues {}
impl Wire for RetryCard {}
impl Wire for ExecutionId {}
impl Wire for Json {}
impl Wire for Vec<String> {}
impl Wire for u64 {}
impl Wire for () {}

/// Writes a line of JSON, its end included. Between the tokens of a document line breaks mean
/// nothing, and within a text they are always escaped, so each becomes a space.
pub(super) fn line_of<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(value)?;
    for byte in &mut line {
        if *byte == b'\n' {
            *byte = b' ';
        }
    }
    line.push(b'\n');
    Ok(line)
}
