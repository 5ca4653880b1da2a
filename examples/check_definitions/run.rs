//! One run of a definition in the pure engine, with made-up data and a clock that jumps.

use std::collections::{BTreeSet, HashMap};

use everstep::engine::own_jobs::READ_ITEMS;
use everstep::engine::{
    ChildEnd, Command, Effect, Event, Execution, ExecutionId, Failure, Job, JobId, JobStatus,
    Program, StartExecution, Status, Token, pending_effects,
};
use everstep::language::{Json, StateKind, Workflow};
use everstep::testing::random::Random;
use everstep::testing::simulate::Simulation;
use serde_json::Value;
use uuid::Uuid;

use super::wish::Wishes;

/// Commands after which a run is given up: a loop that nothing ends.
const PATIENCE: u32 = 400;
/// Every so many seeds jobs fail too, as Retry and Catch expect them to.
const ROUGH: u64 = 4;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Completed,
    /// In a Fail state.
    OwnFailure(String),
    /// With a failure while jobs were made to fail.
    MadeUpFailure,
    /// The made-up data is not what a state needs.
    UnfitData(String),
    /// Nothing is wrong, but it goes on and on.
    Unended(String),
    /// Something broke that must hold.
    Broken(String),
}

/// Whether jobs fail too in the run of this seed.
pub(super) fn is_rough(seed: u64) -> bool {
    seed % ROUGH == ROUGH - 1
}

/// Runs the workflow once.
pub(super) fn run(workflow: &Workflow, seed: u64) -> Ending {
    let definition = workflow.source.value();
    let mut states = HashMap::new();
    gather_states(&definition, &mut states);
    let mut run = Run {
        wishes: Wishes::of(&definition),
        states,
        simulation: Simulation::new(Program::new(workflow.clone()), seed),
        random: Random::new(seed ^ 0x5eed),
        begun: BTreeSet::new(),
        is_rough: is_rough(seed),
    };
    match run.give_all(workflow) {
        Ok(()) => run.ending(workflow),
        Err(why) => Ending::Broken(why),
    }
}

struct Run {
    wishes: Wishes,
    /// The states of the definition by name.
    states: HashMap<String, Value>,
    simulation: Simulation,
    random: Random,
    /// Executions that have begun for the one that runs.
    begun: BTreeSet<ExecutionId>,
    is_rough: bool,
}

/// Names of states are unique in a definition.
fn gather_states(value: &Value, states: &mut HashMap<String, Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather_states(item, states)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "States"
                    && let Value::Object(inner) = value
                {
                    states.extend(inner.iter().map(|(name, state)| (name.clone(), state.clone())));
                }
                gather_states(value, states);
            }
        }
        _ => {}
    }
}

impl Run {
    fn give_all(&mut self, workflow: &Workflow) -> Result<(), String> {
        let first = self.states.get(&*workflow.root.start_at).cloned().unwrap_or_default();
        let input = if takes_items(&first) {
            self.wishes.items(&mut self.random)
        } else {
            self.wishes.grant(None, &mut self.random)
        };
        let start = StartExecution::new("made-up", workflow.hash, Json::from_value(&input));
        self.give(start.into())?;
        for _ in 0..PATIENCE {
            if self.simulation.execution.status.is_terminal() {
                return Ok(());
            }
            match self.simulation.children().first().copied() {
                // Not everybody wants to hear that an execution has begun.
                Some(child) => {
                    let command = self.child(child);
                    drop(self.simulation.give(command)?);
                }
                None => {
                    let command = self.next_command()?;
                    self.give(command)?;
                }
            }
        }
        Ok(())
    }

    fn give(&mut self, command: Command) -> Result<(), String> {
        let said = format!("{command:?}");
        let answer = self.simulation.give(command)?;
        answer.map_err(|rejection| format!("{said:.200} was refused: {rejection}"))
    }

    /// What is ready, a worker's word, or the next timer.
    fn next_command(&mut self) -> Result<Command, String> {
        let execution = &self.simulation.execution;
        if !execution.ready.is_empty() {
            return Ok(Command::Advance);
        }
        let mut jobs = execution.jobs.iter().map(|(id, job)| (*id, job.clone()));
        let open = jobs.find(|(_, job)| job.status != JobStatus::Retrying);
        if let Some((id, job)) = open {
            return Ok(self.work(id, &job));
        }
        if execution.timers.is_empty() {
            return Err(format!("it waits for nothing: {:?}", execution.frames));
        }
        Ok(self.simulation.next_timer())
    }

    /// The next word of an execution that this one began: it begins, and it ends.
    fn child(&mut self, child: ExecutionId) -> Command {
        let now = self.simulation.execution.updated_at;
        let stop = Effect::StopChild { child };
        let stops = pending_effects(&self.simulation.execution).contains(&stop);
        if !stops && self.begun.insert(child) {
            return Command::ChildStarted { child, at: now };
        }
        let fails = !stops && self.is_rough && self.random.one_in(3);
        let status = match (stops, fails) {
            (true, _) => Status::Cancelled,
            (false, true) => Status::Failed,
            (false, false) => Status::Completed,
        };
        let output = self.wishes.grant(None, &mut self.random);
        let end = ChildEnd {
            workflow: "child".into(),
            name: None,
            input: Json::empty_object(),
            status,
            output: (status == Status::Completed).then(|| Json::from_value(&output)),
            failure: fails.then(|| Failure::new("Made.Up", "made up")),
            started_at: now,
            ended_at: now,
        };
        Command::ChildEnded { child, end: Some(Box::new(end)) }
    }

    /// The next word of whoever does the work of a job. All kinds of work are made up here.
    fn work(&mut self, id: JobId, job: &Job) -> Command {
        let calls_back = job.callback.filter(|_| job.status == JobStatus::Waiting);
        let Some(token) = calls_back.or(job.token) else {
            let token = Token(Uuid::from_u64_pair(self.random.draw(), 1).into_bytes());
            return Command::StartJob {
                job: id,
                attempt: job.attempt,
                worker: "made-up".into(),
                token,
            };
        };
        if job.status == JobStatus::Cancelling {
            return Command::AcknowledgeCancel { job: id, token };
        }
        let name = state_of(&self.simulation.execution, id).unwrap_or_default();
        let state = self.states.get(&name).cloned().unwrap_or_default();
        if self.is_rough && self.random.one_in(3) {
            let error = self.expected_error(&state);
            let failure = Failure::new(error.as_str(), "{\"errorMessage\":\"made up\"}");
            return Command::FailJob { job: id, token, failure };
        }
        let result_path = state.get("ResultPath").and_then(Value::as_str);
        let next = state.get("Next").and_then(Value::as_str).and_then(|name| self.states.get(name));
        let reads = &*job.job_type == READ_ITEMS;
        let output = if reads || (result_path.is_none() && next.is_some_and(takes_items)) {
            self.wishes.items(&mut self.random)
        } else {
            self.wishes.grant(result_path, &mut self.random)
        };
        Command::CompleteJob { job: id, token, output: Json::from_value(&output), errors: 0 }
    }

    /// An error that the state's Retry or Catch names.
    fn expected_error(&mut self, state: &Value) -> String {
        let handlers = ["Catch", "Retry"].iter().filter_map(|key| state.get(key)?.as_array());
        let names: Vec<&str> = handlers
            .flatten()
            .filter_map(|handler| handler.get("ErrorEquals")?.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .filter(|name| *name != "States.ALL")
            .collect();
        (*self.random.pick(&names).unwrap_or(&"Made.Up")).to_owned()
    }

    fn ending(&self, workflow: &Workflow) -> Ending {
        let execution = &self.simulation.execution;
        if !execution.status.is_terminal() {
            let states: Vec<&str> =
                execution.frames.values().filter_map(|frame| frame.state.as_deref()).collect();
            return Ending::Unended(format!("after {PATIENCE} commands it is in {states:?}"));
        }
        let Some(failure) = &execution.failure else { return Ending::Completed };
        let entered_fail = self.simulation.history.iter().any(|(event, _)| match event {
            Event::StateEntered(entered) => {
                matches!(
                    workflow.state(&entered.state).map(|s| &s.kind),
                    Some(StateKind::Fail { .. })
                )
            }
            _ => false,
        });
        let why = format!("{}: {:.300}", failure.error, failure.cause);
        if self.is_rough {
            return Ending::MadeUpFailure;
        }
        if failure.error.starts_with("States.") && !entered_fail {
            return Ending::UnfitData(why);
        }
        Ending::OwnFailure(why)
    }
}

/// Whether a state is a Map over its own input.
fn takes_items(state: &Value) -> bool {
    let lacks = |key: &str| state.get(key).is_none();
    state.get("Type").is_some_and(|kind| kind == "Map")
        && ["ItemsPath", "Items", "ItemReader", "InputPath"].into_iter().all(lacks)
}

/// The state that a job belongs to.
fn state_of(execution: &Execution, job: JobId) -> Option<String> {
    let frame = execution.frames.values().find(|frame| frame.job == Some(job))?;
    frame.state.as_deref().map(str::to_owned)
}
