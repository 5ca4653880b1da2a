//! A history held against another definition: would it have led to the same events?
//!
//! What the world did is in the history: who completed a job, which time came. From it follows a
//! command, and `decide` answers it as the other definition says, one step at a time. Its events are
//! compared with those that were recorded, in a normal form. State is always the fold of
//! what was recorded, so that one difference does not make others.

mod cause;
mod normal;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::Value;

use self::cause::{Cause, cause_of};
use super::decide::failure::LONG_HISTORY;
use super::event::{Event, JobScheduled, JobStarted};
use super::execution::Execution;
use super::id::{ExecutionId, Timestamp, Token};
use super::{Command, DecisionInput, EngineLimits, Mint, Program, Rejection, decide};

/// Other draws of chance that are tried before the ways are said to part.
const DRAWS: u8 = 8;

/// How a history and a definition go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// How many events agree, from the first on.
    pub agreed: u64,
    /// How many of them hang on chance or on a token, and are taken as they were recorded.
    pub by_chance: u64,
    /// Where the ways part; nothing when they do not up to the end of the history.
    pub parting: Option<Parting>,
}

/// Where the ways part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// The sequence of the first event that the definition would not have led to.
    pub sequence: u64,
    /// What it would have led to instead.
    pub instead: Instead,
}

/// What a definition would have led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// These events, up to where the engine goes on.
    Events(Vec<Event>),
    /// What happened would have been refused.
    Refused(Rejection),
}

/// Holds the history of `id`, from its first event on, against `program`. Nothing is carried out.
#[must_use]
pub fn rehearse(
    id: ExecutionId,
    program: &Program,
    limits: &EngineLimits,
    history: &[(&Event, Timestamp)],
) -> Rehearsal {
    // One step at a time, and no end of what was recorded for its length.
    let limits = EngineLimits { decision_events: 1, history_events: u64::MAX, ..limits.clone() };
    let history: Vec<(Cow<'_, Event>, Timestamp)> =
        history.iter().map(|(event, at)| (with_known_tokens(event), *at)).collect();
    let stage = Stage { program, limits, history: &history };
    stage.rehearse(Execution::new(id))
}

/// The fields in which two events of a kind differ, as far as a definition decides on them: name,
/// and what both have there. Nothing when they are of two kinds.
#[must_use]
pub fn differing(recorded: &Event, decided: &Event) -> Vec<(String, Value, Value)> {
    let (one, other) = (normal::form(recorded), normal::form(decided));
    let (Value::Object(mut fields), Value::Object(one_fields)) = (other.1, one.1) else {
        return Vec::new();
    };
    let pairs = one_fields.into_iter().map(|(name, was)| {
        let is = fields.shift_remove(&name).unwrap_or_default();
        (name, was, is)
    });
    pairs.filter(|(_, was, is)| one.0 == other.0 && was != is).collect()
}

/// Tokens are left out of what is exported; these stand for them.
fn with_known_tokens(event: &Event) -> Cow<'_, Event> {
    match event {
        Event::JobStarted(body) => {
            Cow::Owned(JobStarted { token: Token([1; 16]), ..body.clone() }.into())
        }
        Event::JobScheduled(body) if body.callback.is_some() => {
            let callback = Some(Token([2; 16]));
            Cow::Owned(JobScheduled { callback, ..body.clone() }.into())
        }
        event => Cow::Borrowed(event),
    }
}

struct Stage<'h> {
    program: &'h Program,
    limits: EngineLimits,
    history: &'h [(Cow<'h, Event>, Timestamp)],
}

/// How the next events of a history go together with a definition.
enum Next {
    /// So many agree.
    Agree(usize),
    /// So many agree if chance is taken as it was.
    AgreeByChance(usize),
    /// So many agree, and then comes something else.
    Part(usize, Instead),
}

impl Stage<'_> {
    fn rehearse(&self, mut execution: Execution) -> Rehearsal {
        let mut rehearsal = Rehearsal { agreed: 0, by_chance: 0, parting: None };
        // The same as `execution`, where it can be kept so without copying.
        let mut copy: Option<Execution> = None;
        let (mut at, mut set_up) = (0, 0);
        while let Some((event, _)) = self.history.get(at)
            && rehearsal.parting.is_none()
        {
            if matches!(**event, Event::ExecutionRedriven(_)) {
                set_up = self.end_of_set_up(at);
            }
            let (count, parting) = match self.next(&execution, &mut copy, at, at < set_up) {
                Next::Agree(count) => (count, None),
                Next::AgreeByChance(count) => {
                    rehearsal.by_chance += number(count);
                    (count, None)
                }
                Next::Part(count, instead) => (count, Some(instead)),
            };
            for (event, time) in self.history.iter().skip(at).take(count) {
                execution.apply(event, *time);
            }
            at += count;
            rehearsal.parting = parting
                .map(|instead| Parting { sequence: execution.sequence.saturating_add(1), instead });
        }
        rehearsal.agreed = number(at);
        rehearsal
    }

    /// What the definition says to what comes next in the history; nothing to what is `given`.
    fn next(
        &self,
        execution: &Execution,
        copy: &mut Option<Execution>,
        at: usize,
        given: bool,
    ) -> Next {
        let Some((event, now)) = self.history.get(at) else { return Next::Agree(0) };
        let cause = match given {
            true => Cause::Given,
            false => cause_of(event, execution, self.program.workflow.hash),
        };
        let commands = match cause {
            Cause::Given => {
                if let Some(copy) = copy {
                    copy.apply(event, *now);
                }
                return Next::Agree(1);
            }
            Cause::Commands(commands) => commands,
        };
        let mut first: Option<(usize, Instead)> = None;
        for command in &commands {
            let mut scratch = copy.take().unwrap_or_else(|| execution.clone());
            match self.decide(&mut scratch, command, *now, 0) {
                Ok(events) => {
                    let count = self.agreeing(&events, at);
                    if count == events.len() || at + count == self.history.len() {
                        *copy = self.is_recorded(&events, at).then_some(scratch);
                        return Next::Agree(count);
                    }
                    if first.as_ref().is_none_or(|(most, _)| count > *most) {
                        first = Some((count, Instead::Events(from(events, count))));
                    }
                }
                Err(rejection) => {
                    *copy = Some(scratch);
                    first = first.or(Some((0, Instead::Refused(rejection))));
                }
            }
        }
        let by_chance = commands.iter().find_map(|command| self.by_chance(execution, command, at));
        if let Some(next) = by_chance {
            return next;
        }
        if self.ends_for_its_length(at) {
            return Next::Agree(self.history.len() - at);
        }
        let (count, instead) = first.unwrap_or((0, Instead::Events(Vec::new())));
        Next::Part(count, instead)
    }

    /// The end of what set the execution up again for the redrive at `redriven`. That was worked out
    /// from the history, and not by a definition.
    fn end_of_set_up(&self, redriven: usize) -> usize {
        let sets_up = |event: &Event| {
            matches!(
                event,
                Event::StateEntered(_)
                    | Event::ForkStarted(_)
                    | Event::PartsKept(_)
                    | Event::FrameStarted(_)
            )
        };
        let first = redriven + 1;
        let events = self.history.iter().skip(first).map(|(event, _)| &**event);
        let keeps_parts = matches!(events.clone().nth(2), Some(Event::PartsKept(_)));
        let count = events.take_while(|event| sets_up(event)).count();
        first + if keeps_parts { count } else { count.min(1) }
    }

    fn decide(
        &self,
        execution: &mut Execution,
        command: &Command,
        now: Timestamp,
        chance: u8,
    ) -> Result<Vec<Event>, Rejection> {
        let input = DecisionInput {
            program: self.program,
            now,
            seed: u64::from(chance),
            limits: &self.limits,
            mint: &Mint::new([chance; 32]),
        };
        decide(input, execution, command.clone())
    }

    /// Whether all of `events` are just those that were recorded.
    fn is_recorded(&self, events: &[Event], at: usize) -> bool {
        let recorded = self.history.iter().skip(at).map(|(event, _)| &**event);
        events.iter().eq(recorded.take(events.len()))
    }

    /// How many of `events` are what was recorded, as they stand.
    fn agreeing(&self, events: &[Event], at: usize) -> usize {
        let recorded = self.history.iter().skip(at);
        let same = events.iter().zip(recorded).take_while(|(event, (recorded, _))| {
            **event == **recorded || normal::form(event) == normal::form(recorded)
        });
        same.count()
    }

    /// Whether what was recorded is what some draw of chance leads to, and data written otherwise is
    /// the same data. What two draws do not agree on hangs on chance, and is not compared.
    fn by_chance(&self, execution: &Execution, command: &Command, at: usize) -> Option<Next> {
        let (_, now) = self.history.get(at)?;
        let draw = |chance| self.decide(&mut execution.clone(), command, *now, chance).ok();
        let mut other = draw(0)?;
        for chance in 1..=DRAWS {
            let events = std::mem::replace(&mut other, draw(chance)?);
            let count = self.agreeing_resolved(execution, &events, &other, at);
            if count == events.len() || at + count == self.history.len() {
                return Some(Next::AgreeByChance(count));
            }
        }
        None
    }

    fn agreeing_resolved(
        &self,
        execution: &Execution,
        events: &[Event],
        other: &[Event],
        at: usize,
    ) -> usize {
        let mut state = execution.clone();
        let mut count = 0;
        for (index, (event, (recorded, time))) in
            events.iter().zip(self.history.iter().skip(at)).enumerate()
        {
            let form = |event: &Event| normal::resolved(event, &state);
            let other = other.get(index).map(form);
            if !normal::is_same(&form(event), &form(recorded), other.as_ref()) {
                break;
            }
            state.apply(recorded, *time);
            count += 1;
        }
        count
    }

    /// Whether nothing follows but the end of an execution whose history had become too long: a
    /// limit is no part of a definition.
    fn ends_for_its_length(&self, at: usize) -> bool {
        let mut rest = self.history.iter().skip(at).map(|(event, _)| &**event);
        rest.all(|event| match event {
            Event::JobCancelled(_)
            | Event::FrameCancelled(_)
            | Event::ItemCancelled(_)
            | Event::ChildStopped(_)
            | Event::ExecutionClosing(_) => true,
            Event::ExecutionFailed(body) => body.failure.cause.starts_with(LONG_HISTORY),
            _ => false,
        })
    }
}

fn from(mut events: Vec<Event>, first: usize) -> Vec<Event> {
    events.split_off(first.min(events.len()))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
