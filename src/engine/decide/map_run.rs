//! Distributed Maps: items from files, an execution for each part, results into files.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Decision;
use super::flow::Evaluation;
use super::fork::tolerance;
use super::number::Field;
use crate::engine::event::{
    Data, Failure, ItemFailed, ItemStarted, ItemSucceeded, JobScheduled, MapRunChange,
    MapRunChanged, MapRunWish,
};
use crate::engine::execution::{Frame, Status};
use crate::engine::id::{ExecutionId, FrameId};
use crate::engine::own_jobs::{READ_ITEMS, WRITE_RESULTS};
use crate::engine::rejection::Rejection;
use crate::language::distributed::{ItemReader, ReaderConfig, ResultWriter};
use crate::language::model::Map;
use crate::language::{Json, State, StateKind};

impl Decision<'_> {
    /// Opens a Map, once its items are there.
    pub(super) fn begin_map(
        &mut self,
        frame: FrameId,
        state: &State,
        map: &Map,
    ) -> Result<(), Failure> {
        match map.distributed.as_ref().and_then(|distributed| distributed.reader.as_ref()) {
            Some(reader) => self.read_items(frame, state, map, reader),
            None => self.fork_items(frame, state, map),
        }
    }

    /// Goes on with the result of a state's work: it leaves the state, but for the items that a Map
    /// had read.
    pub(super) fn go_on_with_result(
        &mut self,
        frame: FrameId,
        state: &State,
    ) -> Result<(), Failure> {
        let joined = self.execution.frames.get(&frame).is_some_and(|frame| frame.joined);
        match &state.kind {
            StateKind::Map(map) if !joined => self.fork_items(frame, state, map),
            _ => self.exit(frame, state),
        }
    }

    fn read_items(
        &mut self,
        frame: FrameId,
        state: &State,
        map: &Map,
        reader: &ItemReader,
    ) -> Result<(), Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let input = evaluation.selected_input()?;
        let arguments = evaluation.evaluate(&reader.arguments, &input)?;
        let max_items = match &reader.max_items {
            None => 0,
            Some(number) => evaluation.whole(number, Field::of_reader("MaxItems"))?,
        };
        let config = ReaderConfig { max_items, ..reader.config.clone() };
        let asked = json!({
            "Resource": reader.source,
            "Arguments": arguments,
            "ReaderConfig": config,
            // So that a Map whose results could not be written does not begin.
            "Destination": writer_of(map).map(|writer| destination(&evaluation, writer)).transpose()?,
        });
        self.schedule_own_job(frame, READ_ITEMS, Json::from_value(&asked));
        Ok(())
    }

    /// Lets the results of a Map whose parts are done be written; whether there is a writer.
    pub(super) fn write_results(&mut self, frame: FrameId, state: &State) -> Result<bool, Failure> {
        let StateKind::Map(map) = &state.kind else { return Ok(false) };
        let writer = writer_of(map);
        let run = self.fork_of(frame).and_then(|fork| fork.run.as_ref()).map(|run| run.id);
        let (Some(writer), Some(run)) = (writer, run) else { return Ok(false) };
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let asked = json!({
            "Arguments": destination(&evaluation, writer)?,
            "WriterConfig": writer.config,
            "MapRun": run,
            "Execution": self.execution.id,
        });
        self.schedule_own_job(frame, WRITE_RESULTS, Json::from_value(&asked));
        Ok(true)
    }

    /// A job that is not the workflow's but ours.
    fn schedule_own_job(&mut self, frame: FrameId, job_type: &str, input: Json) {
        let job = self.job_of(frame);
        let attempt = self.execution.jobs.get(&job).map_or(0, |job| job.attempt) + 1;
        self.emit(JobScheduled {
            job,
            frame,
            attempt,
            job_type: job_type.into(),
            input: Data::New(input),
            timeout_seconds: None,
            heartbeat_seconds: None,
            callback: None,
            child: None,
        });
    }

    /// Begins a part of a distributed Map.
    pub(super) fn start_item(&mut self, frame: FrameId, index: u32, input: Json) {
        let kept = self.fork_of(frame).and_then(|fork| fork.items.as_ref());
        let kept = kept.is_some_and(|items| items.get(index as usize) == input);
        let child = self.next_id();
        let input = if kept { Data::Kept } else { Data::New(input) };
        self.emit(ItemStarted { frame, index, child, input });
    }

    pub(super) fn item_succeeded(
        &mut self,
        frame: FrameId,
        child: ExecutionId,
        output: Json,
        with_errors: bool,
    ) {
        // A writer takes the outputs from the executions themselves, so that as many as there are
        // cost this one nothing.
        let keeps = self.fork_of(frame).is_some_and(|fork| fork.keeps_outputs);
        let output = if keeps { Data::New(output) } else { Data::Kept };
        let event = ItemSucceeded { frame, child, output, with_errors, progress: 0 };
        self.emit_with_progress(event.into());
    }

    pub(super) fn item_failed(&mut self, frame: FrameId, child: ExecutionId, failure: Failure) {
        let failure = failure.bounded();
        self.emit_with_progress(ItemFailed { frame, child, failure, progress: 0 }.into());
    }

    /// Changes how many parts of an open run may be at work, and how many items may fail.
    pub(super) fn change_map_run(
        &mut self,
        run: Uuid,
        wish: MapRunWish,
        by: Arc<str>,
    ) -> Result<(), Rejection> {
        self.require(&[Status::Running])?;
        let open = self.execution.frames.iter().find_map(|(id, frame)| {
            let is_it = frame.map_run().is_some_and(|open| open.id == run);
            // One that has failed is about to end.
            let fork = frame.fork().filter(|fork| is_it && fork.failure.is_none());
            fork.map(|fork| (*id, fork))
        });
        let Some((frame, fork)) = open else { return Err(Rejection::NoOpenMapRun { run }) };
        if wish == MapRunWish::default() {
            return Err(Rejection::NothingToDo);
        }
        let limits = self.input.limits;
        let concurrency = match wish.concurrency {
            None => fork.concurrency,
            Some(0) => limits.map_run_concurrency.min(limits.most_map_run_concurrency),
            Some(asked) => asked.min(limits.most_map_run_concurrency),
        };
        let items = fork.batch_ends.last().copied().unwrap_or(fork.total);
        let percent = wish.tolerated_thousandths.map(|some| f64::from(some) / 1000.0);
        let tolerated_failures = match (wish.tolerated_count, percent) {
            (None, None) => fork.tolerated_failures,
            (count, percent) => tolerance(count.unwrap_or(0), percent.unwrap_or(0.0), items),
        };
        // What has failed is not judged again.
        let tolerated_failures = tolerated_failures.max(fork.failed_items);
        let change = MapRunChange { concurrency, tolerated_failures, wish, by };
        self.emit(MapRunChanged { frame, change });
        Ok(())
    }

    /// The executions of the map run that the frame has open.
    pub(super) fn children_of(&self, frame: FrameId) -> Vec<ExecutionId> {
        let run = self.execution.frames.get(&frame).and_then(Frame::map_run);
        run.iter().flat_map(|run| run.children.keys().copied()).collect()
    }
}

fn writer_of(map: &Map) -> Option<&ResultWriter> {
    map.distributed.as_ref()?.writer.as_ref()
}

/// Where a writer's results go; null when they are not written.
fn destination(evaluation: &Evaluation<'_>, writer: &ResultWriter) -> Result<Value, Failure> {
    let Some(arguments) = &writer.arguments else { return Ok(Value::Null) };
    let input = evaluation.selected_input()?;
    evaluation.evaluate(arguments, &input)
}
