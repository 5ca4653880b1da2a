//! Entering, running and leaving states.

use serde_json::Value;

use super::Decision;
use super::flow::{Evaluation, Work, failure};
use super::number::{Field, shown};
use crate::engine::child::Ending;
use crate::engine::event::{
    Data, Event, Failure, FrameSucceeded, StateEntered, StateExited, WaitStarted,
};
use crate::engine::execution::Status;
use crate::engine::id::{FrameId, Timestamp};
use crate::engine::progress;
use crate::language::expression::{Template, loose_timestamp_ms};
use crate::language::model::{Choice, QueryLanguage, StateName, Transition, Wait};
use crate::language::{Json, State, StateKind};

impl Decision<'_> {
    /// Enters the frame's next state with what the frame holds.
    pub(super) fn enter(&mut self, frame: FrameId, state: StateName) {
        self.enter_with(frame, state, Data::Kept);
    }

    pub(super) fn enter_with(&mut self, frame: FrameId, state: StateName, input: Data) {
        self.emit_with_progress(StateEntered { frame, state, input, progress: 0 }.into());
    }

    /// Records an event that carries the progress as it is after it.
    pub(super) fn emit_with_progress(&mut self, mut event: Event) {
        self.execution.apply(&event, self.now);
        // While it stops or is about to end otherwise, progress stands still.
        if self.execution.status == Status::Running && self.execution.closing.is_none() {
            let percent = progress::percent(self.input.program, self.execution);
            self.execution.raise_progress(percent);
        }
        let percent = self.execution.progress;
        match &mut event {
            Event::StateEntered(body) => body.progress = percent,
            Event::JobProgressed(body) => body.progress = percent,
            Event::FrameSucceeded(body) => body.progress = percent,
            Event::FrameFailed(body) => body.progress = percent,
            Event::ItemProgressed(body) => body.progress = percent,
            Event::ItemSucceeded(body) => body.progress = percent,
            Event::ItemFailed(body) => body.progress = percent,
            Event::ExecutionRedriven(body) => {
                body.progress = percent;
                self.execution.pace.from = percent;
            }
            Event::PartsKept(body) => body.progress = percent,
            _ => {}
        }
        self.events.push(event);
    }

    /// Does what the state does, up to where it must wait.
    pub(super) fn execute(&mut self, frame: FrameId, state: &State) -> Result<(), Failure> {
        match &state.kind {
            StateKind::Pass { result } => {
                let work = result.clone().map_or(Work::Nothing, Work::Fixed);
                self.leave(frame, state, &work)
            }
            StateKind::Task(task) => self.schedule_task(frame, state, task),
            StateKind::Choice(choice) => self.choose(frame, state, choice),
            StateKind::Wait(wait) => self.wait(frame, state, wait),
            StateKind::Succeed => self.leave(frame, state, &Work::Nothing),
            StateKind::Fail { error, cause } => {
                Err(self.own_failure(frame, state, error.as_ref(), cause.as_ref())?)
            }
            StateKind::Parallel { branches } => self.fork_branches(frame, state, branches),
            StateKind::Map(map) => self.begin_map(frame, state, map),
        }
    }

    /// Leaves a state whose work is done.
    pub(super) fn exit(&mut self, frame: FrameId, state: &State) -> Result<(), Failure> {
        let work = match &state.kind {
            StateKind::Wait(_) => Work::Nothing,
            StateKind::Pass { .. }
            | StateKind::Task(_)
            | StateKind::Choice(_)
            | StateKind::Succeed
            | StateKind::Fail { .. }
            | StateKind::Parallel { .. }
            | StateKind::Map(_) => self
                .execution
                .frames
                .get(&frame)
                .and_then(|frame| frame.current_result())
                .map_or(Work::Nothing, Work::Result),
        };
        self.leave(frame, state, &work)
    }

    fn leave(&mut self, frame: FrameId, state: &State, work: &Work) -> Result<(), Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let output = evaluation.output(work)?;
        let assigned = evaluation.assignments(work)?;
        self.emit(StateExited { frame, state: state.name.clone(), output, assigned });
        match &state.transition {
            Transition::Next(next) => self.enter(frame, next.clone()),
            Transition::End => self.end_frame(frame),
        }
        Ok(())
    }

    fn end_frame(&mut self, frame: FrameId) {
        if frame == FrameId::ROOT {
            self.end(Ending::Completed);
        } else if self.execution.cleanup_frame() == Some(frame) {
            self.succeed_cleanup(frame);
        } else {
            let output = Data::Kept;
            self.emit_with_progress(FrameSucceeded { frame, output, progress: 0 }.into());
        }
    }

    pub(super) fn data_of(&self, frame: FrameId) -> Json {
        self.execution.frames.get(&frame).map_or_else(Json::null, |frame| frame.data.clone())
    }

    fn choose(&mut self, frame: FrameId, state: &State, choice: &Choice) -> Result<(), Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let input = evaluation.selected_input()?;
        for rule in &choice.rules {
            let holds = evaluation.with(&input, |scope| rule.condition.holds(scope));
            if holds.map_err(failure)? {
                let output = evaluation.rule_output(rule.output.as_ref())?;
                let assigned = evaluation.rule_assignments(&rule.assign)?;
                self.emit(StateExited { frame, state: state.name.clone(), output, assigned });
                self.enter(frame, rule.next.clone());
                return Ok(());
            }
        }
        let Some(next) = choice.default.clone() else {
            // The specification calls it States.NoChoiceMatched; AWS replies with this name, which
            // nothing around can catch, and these words.
            let cause = "Failed to transition out of the state. The state does not point to a next \
                         state.";
            return Err(Failure::new("States.Runtime", cause));
        };
        let output = evaluation.rule_output(None)?;
        let assigned = evaluation.assignments(&Work::Nothing)?;
        self.emit(StateExited { frame, state: state.name.clone(), output, assigned });
        self.enter(frame, next);
        Ok(())
    }

    fn wait(&mut self, frame: FrameId, state: &State, wait: &Wait) -> Result<(), Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let until = match wait {
            Wait::Seconds(number) => {
                self.now.plus_seconds(evaluation.whole(number, Field::of_wait("Seconds"))?)
            }
            Wait::Until(template) => {
                let input = evaluation.selected_input()?;
                let value = evaluation.evaluate(template, &input)?;
                moment(&value).ok_or_else(|| no_moment(&evaluation, template, &value))?
            }
        };
        if until.ms_since(self.now) > LONGEST_WAIT_MS {
            return Err(evaluation.unfit("Wait state delay is too long."));
        }
        self.emit(WaitStarted { frame, until });
        Ok(())
    }

    /// What a Fail state fails with.
    fn own_failure(
        &mut self,
        frame: FrameId,
        state: &State,
        error: Option<&Template>,
        cause: Option<&Template>,
    ) -> Result<Failure, Failure> {
        let seed = self.draw();
        let evaluation = Evaluation::new(self, frame, state, seed);
        let text = |template: Option<&Template>| -> Result<String, Failure> {
            let Some(template) = template else { return Ok(String::new()) };
            match evaluation.evaluate(template, evaluation.input())? {
                Value::String(text) => Ok(text),
                other => {
                    let cause = format!("Error and Cause must be texts, but one is {other}");
                    Err(Failure::new("States.Runtime", &cause))
                }
            }
        };
        Ok(Failure::new(&text(error)?, &text(cause)?))
    }
}

/// The longest wait: AWS takes 24,855 days and refuses 24,856, so it counts seconds in 31 bits.
const LONGEST_WAIT_MS: u64 = 2_147_483_647_999;

/// The failure of a Wait until what is no point in time, in the words of AWS.
fn no_moment(evaluation: &Evaluation<'_>, template: &Template, value: &Value) -> Failure {
    const WANTED: &str = "ISO-8601 extended offset date-time format string";
    let text = shown(value);
    evaluation.unfit(&match (evaluation.language(), template) {
        (QueryLanguage::JsonPath, Template::Expression(path)) => format!(
            "The TimestampPath parameter does not reference a valid {WANTED}: {} == {text}",
            path.source()
        ),
        (QueryLanguage::Jsonata, Template::Expression(expression)) if !value.is_string() => {
            expression.unexpected("string", value).cause
        }
        _ => format!("The Timestamp field cannot be parsed as an {WANTED}: {text}"),
    })
}

fn moment(value: &Value) -> Option<Timestamp> {
    let ms = value.as_str().and_then(loose_timestamp_ms)?;
    // A moment before 1970 has passed, as has 1970.
    Some(Timestamp(u64::try_from(ms).unwrap_or(0)))
}
