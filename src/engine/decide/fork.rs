//! Parallel and Map: opening, starting parts, joining.

use serde_json::Value;

use super::Decision;
use super::context::MapItem;
use super::flow::{Evaluation, conflict};
use super::job::too_large;
use super::number::Field;
use super::probe::Stage;
use crate::engine::event::{Data, Failure, ForkStarted, FrameStarted};
use crate::engine::execution::Fork;
use crate::engine::id::FrameId;
use crate::language::expression::Template;
use crate::language::model::{Batcher, Machine, Map, QueryLanguage, StateName};
use crate::language::{Json, State, StateKind};

impl Decision<'_> {
    pub(super) fn fork_branches(
        &mut self,
        frame: FrameId,
        state: &State,
        branches: &[Machine],
    ) -> Result<(), Failure> {
        let input = self.branch_input(frame, state)?;
        self.emit(ForkStarted {
            frame,
            total: u32::try_from(branches.len()).unwrap_or(u32::MAX),
            concurrency: 0,
            items: None,
            batch_ends: Vec::new(),
            batch_input: None,
            tolerated_failures: 0,
            counts_errors: true,
            keeps_outputs: true,
            run: None,
        });
        self.start_branches(frame, branches, &input);
        Ok(())
    }

    /// Goes on with a Parallel of which some branches are kept.
    pub(super) fn fork_other_branches(
        &mut self,
        frame: FrameId,
        state: &State,
        branches: &[Machine],
    ) -> Result<(), Failure> {
        let input = self.branch_input(frame, state)?;
        self.start_branches(frame, branches, &input);
        Ok(())
    }

    fn branch_input(&mut self, frame: FrameId, state: &State) -> Result<Json, Failure> {
        let seed = self.draw();
        Ok(match Evaluation::new(self, frame, state, seed).effective_input()? {
            Data::New(json) => json,
            Data::Kept | Data::Result => self.data_of(frame),
        })
    }

    /// Starts every branch that is not kept.
    fn start_branches(&mut self, frame: FrameId, branches: &[Machine], input: &Json) {
        for (index, branch) in (0..).zip(branches) {
            if self.fork_of(frame).is_some_and(|fork| !fork.kept.contains(&index)) {
                self.start_part(frame, index, branch.start_at.clone(), input.clone());
            }
        }
    }

    pub(super) fn fork_items(
        &mut self,
        frame: FrameId,
        state: &State,
        map: &Map,
    ) -> Result<(), Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let items = items_of(&evaluation, map)?;
        let sizes = self.item_sizes(&items, frame, &evaluation, map)?;
        let (batch_ends, batch_input) = match &map.batcher {
            None => (Vec::new(), None),
            Some(batcher) => batches(&evaluation, batcher, &sizes)?,
        };
        let count = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
        let total = if map.batcher.is_some() {
            u32::try_from(batch_ends.len()).unwrap_or(u32::MAX)
        } else {
            count
        };
        let asked = evaluation.whole(&map.max_concurrency, Field::of_map("MaxConcurrency", 0))?;
        evaluation.note_number(Stage::MaxConcurrency, asked);
        let limits = self.input.limits;
        let (usual, most) = match &map.distributed {
            None => (limits.fork_concurrency, limits.most_fork_concurrency),
            Some(_) => (limits.map_run_concurrency, limits.most_map_run_concurrency),
        };
        let concurrency = match u32::try_from(asked).unwrap_or(u32::MAX) {
            0 => usual,
            asked => asked,
        }
        .min(most);
        let tolerated_failures = tolerated(&evaluation, map, count)?;
        let run = map.distributed.is_some().then(|| self.next_id().0);
        self.emit(ForkStarted {
            frame,
            total,
            concurrency,
            items: Some(items),
            batch_ends,
            batch_input,
            tolerated_failures,
            counts_errors: map.counts_errors,
            keeps_outputs: map.distributed.as_ref().is_none_or(|d| d.writer.is_none()),
            run,
        });
        Ok(())
    }

    /// The size of each item in bytes; refuses what has no items, or too many.
    fn item_sizes(
        &self,
        items: &Data,
        frame: FrameId,
        evaluation: &Evaluation<'_>,
        map: &Map,
    ) -> Result<Vec<usize>, Failure> {
        let source = match items {
            Data::New(json) => json.clone(),
            Data::Kept => self.data_of(frame),
            Data::Result => self.result_of(frame),
        };
        // AWS takes the entries of an object in distributed Maps only: an inline one that gets an
        // object fails, although the page on ItemsPath does not say so.
        let entries = || source.entries().filter(|_| map.distributed.is_some());
        let (spans, around) = match source.elements() {
            Some(spans) => (spans, 0),
            None => (entries().ok_or_else(|| no_items(&source, evaluation, map))?, AROUND_ENTRY),
        };
        let limit = self.input.limits.map_items as usize;
        if spans.len() > limit {
            let cause = format!("{} items are over the limit of {limit} for one Map", spans.len());
            return Err(Failure::new("States.Runtime", &cause));
        }
        Ok(spans.into_iter().map(|span| span.len() + around).collect())
    }

    /// Goes on with an open Parallel or Map: fails, joins, or starts further parts.
    pub(super) fn drive_fork(&mut self, frame: FrameId, state: &State) -> Result<(), Failure> {
        let Some(fork) = self.fork_of(frame) else { return Ok(()) };
        if let Some(failure) = fork.failure.clone() {
            return Err(over_tolerance(state, fork, failure));
        }
        // The fold of an execution must not grow without end. Less than this fits into its output.
        let limit = self.input.limits.items_bytes.max(self.input.limits.payload_bytes);
        if let Ok(bytes) = usize::try_from(fork.output_bytes)
            && bytes > limit
        {
            return Err(too_large(&format!("the results of {:?}", state.name), bytes, limit));
        }
        if fork.finished() == fork.total {
            return if self.write_results(frame, state)? {
                Ok(())
            } else {
                self.exit(frame, state)
            };
        }
        let StateKind::Map(map) = &state.kind else { return Ok(()) };
        let source = self.item_source(frame, state, map);
        while self.events.len() < self.input.limits.decision_events {
            let Some(fork) = self.fork_of(frame).filter(|fork| fork.can_start()) else { break };
            let index = fork.next;
            let distributed = fork.run.is_some();
            let input = self.part_input(frame, state, map, index, source.as_deref())?;
            if distributed {
                self.start_item(frame, index, input);
                continue;
            }
            self.start_part(frame, index, map.processor.start_at.clone(), input);
        }
        Ok(())
    }

    fn start_part(&mut self, parent: FrameId, index: u32, start_at: StateName, input: Json) {
        let frame = FrameId(self.execution.frame_count);
        self.emit(FrameStarted { frame, parent, index });
        self.enter_with(frame, start_at, Data::New(input));
    }

    /// The input of one item or batch.
    fn part_input(
        &mut self,
        frame: FrameId,
        state: &State,
        map: &Map,
        index: u32,
        source: Option<&str>,
    ) -> Result<Json, Failure> {
        let Some(fork) = self.fork_of(frame) else { return Ok(Json::null()) };
        if map.batcher.is_none() {
            return self.item_input(frame, state, map, index, source);
        }
        let (batch, batch_input) = (fork.batch(index), fork.batch_input.clone());
        let mut inputs = Vec::new();
        for i in batch {
            inputs.push(self.item_input(frame, state, map, i, source)?);
        }
        let array = Json::array(&inputs);
        let shared = batch_input.as_ref().map_or(0, Json::len_bytes);
        let (bytes, limit) = (array.len_bytes() + shared, self.input.limits.payload_bytes);
        if bytes > limit {
            return Err(too_large(&format!("batch {index} of {:?}", state.name), bytes, limit));
        }
        let shared = batch_input.as_ref().map(|input| ("BatchInput", input));
        Ok(Json::object(shared.into_iter().chain([("Items", &array)])))
    }

    fn item_input(
        &mut self,
        frame: FrameId,
        state: &State,
        map: &Map,
        index: u32,
        source: Option<&str>,
    ) -> Result<Json, Failure> {
        let Some(items) = self.fork_of(frame).and_then(|fork| fork.items.as_ref()) else {
            return Ok(Json::null());
        };
        let Some(selector) = &map.item_selector else { return Ok(items.get(index as usize)) };
        let (key, value) = items.shown(index as usize);
        let item = MapItem { index, key, value, source: source.map(str::to_owned) };
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed).for_item(item);
        let input = evaluation.selected_input()?;
        let value = evaluation.evaluate(selector, &input)?;
        evaluation.limited(Json::from_value(&value))
    }

    /// Where the items of a distributed Map come from, if its parts may ask.
    fn item_source(&mut self, frame: FrameId, state: &State, map: &Map) -> Option<String> {
        let distributed = map.distributed.as_ref()?;
        map.item_selector.as_ref().filter(|selector| selector.references_context())?;
        let Some(reader) = &distributed.reader else { return Some("STATE_DATA".to_owned()) };
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let input = evaluation.selected_input().ok()?;
        let arguments = evaluation.evaluate(&reader.arguments, &input).ok()?;
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let bucket = text("Bucket")?;
        Some(match text("Key") {
            Some(key) => format!("s3://{bucket}/{key}"),
            None => format!("s3://{bucket}"),
        })
    }

    fn result_of(&self, frame: FrameId) -> Json {
        let frame = self.execution.frames.get(&frame);
        frame.and_then(|frame| frame.result.clone()).unwrap_or_else(Json::null)
    }

    pub(super) fn fork_of(&self, frame: FrameId) -> Option<&Fork> {
        self.execution.frames.get(&frame)?.fork()
    }
}

/// What an item that is an entry has besides its key, its colon and its value.
const AROUND_ENTRY: usize = r#"{"Key":,"Value":}"#.len() - ":".len();

/// The failure of a Map over what has no items, in the words of AWS.
fn no_items(source: &Json, evaluation: &Evaluation<'_>, map: &Map) -> Failure {
    if map.distributed.as_ref().is_some_and(|distributed| distributed.reader.is_some()) {
        let cause = "Attempting to map over non-iterable node.";
        return Failure::new("States.ItemReaderFailed", cause);
    }
    let found = source.value();
    evaluation.unfit(&match (evaluation.language(), &map.items) {
        (QueryLanguage::JsonPath, items) => {
            let path = match items {
                Some(Template::Expression(path)) => path.source(),
                _ => "$",
            };
            // A path into the context object is shown as one from its root.
            let path = path.strip_prefix('$').filter(|rest| rest.starts_with('$')).unwrap_or(path);
            format!("Reference path \"{path}\" must point to array.")
        }
        (QueryLanguage::Jsonata, Some(Template::Expression(items))) => {
            items.unexpected("array", &found).cause
        }
        (QueryLanguage::Jsonata, _) => {
            format!("Map state input must be an array but was: {}", excerpt(source))
        }
    })
}

/// The items: an array or an object.
fn items_of(evaluation: &Evaluation<'_>, map: &Map) -> Result<Data, Failure> {
    match &map.items {
        // What a reader read.
        _ if map.distributed.as_ref().is_some_and(|d| d.reader.is_some()) => Ok(Data::Result),
        None => match evaluation.selected_or_kept()? {
            None => Ok(Data::Kept),
            Some(value) => evaluation.new_data(&value),
        },
        Some(template) => {
            let input = evaluation.selected_input()?;
            let items = evaluation.with(&input, |scope| template.evaluate(scope)).map_err(conflict);
            evaluation.new_data(&items?)
        }
    }
}

/// Where each batch ends, and what all batches share.
fn batches(
    evaluation: &Evaluation<'_>,
    batcher: &Batcher,
    sizes: &[usize],
) -> Result<(Vec<u32>, Option<Json>), Failure> {
    let limit = |number: &Option<_>, name| -> Result<usize, Failure> {
        let Some(number) = number else { return Ok(usize::MAX) };
        let value = evaluation.whole(number, Field::of_map(name, 1))?;
        Ok(usize::try_from(value).unwrap_or(usize::MAX))
    };
    let max_items = limit(&batcher.max_items, "MaxItemsPerBatch")?;
    let max_bytes = limit(&batcher.max_bytes, "MaxInputBytesPerBatch")?;
    let input = match &batcher.input {
        None => None,
        Some(template) => {
            let selected = evaluation.selected_input()?;
            let value = evaluation.evaluate(template, &selected)?;
            Some(evaluation.limited(Json::from_value(&value))?)
        }
    };
    Ok((batch_ends(sizes, max_items, max_bytes), input))
}

/// What a Map fails with: a part's own failure, unless it is distributed or declares how many may
/// fail.
fn over_tolerance(state: &State, fork: &Fork, failure: Failure) -> Failure {
    let StateKind::Map(map) = &state.kind else { return failure };
    let declared =
        map.tolerated_failure_count.is_some() || map.tolerated_failure_percentage.is_some();
    if !declared && map.distributed.is_none() {
        return failure;
    }
    let total = fork.batch_ends.last().copied().unwrap_or(fork.total);
    let (failed, tolerated) = (fork.failed_items, fork.tolerated_failures);
    let Failure { error, cause } = failure;
    // AWS says no more than the beginning.
    let cause = format!(
        "The specified tolerated failure threshold was exceeded: {failed} of {total} items failed, \
         and {tolerated} may. The last failed with {error}: {cause}"
    );
    Failure::new("States.ExceedToleratedFailureThreshold", &cause).bounded()
}

/// Cuts items into batches: as many as fit both limits, at least one each.
fn batch_ends(sizes: &[usize], max_items: usize, max_bytes: usize) -> Vec<u32> {
    let mut ends = Vec::new();
    let (mut items, mut bytes) = (0, 0);
    for (index, size) in (0_u32..).zip(sizes) {
        if items > 0 && (items == max_items || bytes + size > max_bytes) {
            ends.push(index);
            (items, bytes) = (0, 0);
        }
        items += 1;
        bytes += size;
    }
    if items > 0 {
        ends.push(u32::try_from(sizes.len()).unwrap_or(u32::MAX));
    }
    ends
}

/// How many items may fail: what the count or the percentage allows, whichever breaks first. On AWS,
/// as others measured, 0 is as if the field were absent: beside the other one it allows nothing less.
fn tolerated(evaluation: &Evaluation<'_>, map: &Map, total: u32) -> Result<u32, Failure> {
    let count = match &map.tolerated_failure_count {
        None => 0,
        Some(number) => {
            let count = evaluation.whole(number, Field::of_map("ToleratedFailureCount", 0))?;
            evaluation.note_number(Stage::ToleratedFailureCount, count);
            count
        }
    };
    let percent = match &map.tolerated_failure_percentage {
        None => 0.0,
        Some(number) => {
            let percent = evaluation.percentage(number, "ToleratedFailurePercentage")?;
            evaluation.note_number(Stage::ToleratedFailurePercentage, percent);
            percent
        }
    };
    Ok(tolerance(u32::try_from(count).unwrap_or(u32::MAX), percent, total))
}

/// How many of `total` items may fail by a count and a percentage, of which 0 is as if it were absent.
pub(super) fn tolerance(count: u32, percent: f64, total: u32) -> u32 {
    match (count > 0, percent > 0.0) {
        (false, false) => 0,
        (true, false) => count,
        (false, true) => share(total, percent),
        (true, true) => count.min(share(total, percent)),
    }
}

/// A percentage of a number of items, without the part of an item.
fn share(total: u32, percent: f64) -> u32 {
    // 33.3 % of 1000 is a little less than 333 in doubles.
    const ROUNDING: f64 = 1e-6;
    let share = (f64::from(total) * percent / 100.0 + ROUNDING).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of at most 100 percent, so at most `total`"
    )]
    let share = share as u32;
    share.min(total)
}

fn excerpt(json: &Json) -> String {
    let text: String = json.as_str().chars().take(80).collect();
    if text.len() < json.len_bytes() { format!("{text}…") } else { text }
}

impl Evaluation<'_> {
    /// The input through InputPath, or nothing where that is the input itself.
    fn selected_or_kept(&self) -> Result<Option<Value>, Failure> {
        use crate::language::model::{Flow, Selection};
        match self.flow() {
            Flow::JsonPath(flow) if !matches!(flow.input_path, Selection::Whole) => {
                self.selected_input().map(Some)
            }
            Flow::JsonPath(_) | Flow::Jsonata(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_as_many_items_as_both_limits_allow() {
        assert_eq!(batch_ends(&[1; 5], 2, usize::MAX), [2, 4, 5]);
        assert_eq!(batch_ends(&[4, 4, 4], 10, 8), [2, 3]);
        assert_eq!(batch_ends(&[100, 1], 10, 8), [1, 2], "an item over the limit stands alone");
        assert_eq!(batch_ends(&[], 2, 2), Vec::<u32>::new());
    }

    #[test]
    fn a_percentage_of_items_leaves_out_the_part_of_one() {
        assert_eq!(share(8, 12.5), 1);
        assert_eq!(share(8, 24.9), 1);
        assert_eq!(share(1000, 33.3), 333);
        assert_eq!(share(u32::MAX, 100.0), u32::MAX);
    }
}
