//! An execution as it was: its history, folded as far as is asked.

use crate::engine::{Execution, ExecutionId};
use crate::store::Record;

/// Folds a history forward. Each event is folded once, however many moments are looked at.
#[derive(Debug)]
pub struct Moments<'h> {
    rest: &'h [Record],
    execution: Execution,
}

impl<'h> Moments<'h> {
    /// The history of `id`, all of it, before its first event.
    #[must_use]
    pub fn of(id: ExecutionId, history: &'h [Record]) -> Self {
        Self { rest: history, execution: Execution::new(id) }
    }

    /// The execution as it was right after the event with this sequence. Nothing when the history
    /// has no such event, or when a later moment was looked at before.
    pub fn after(&mut self, sequence: u64) -> Option<&Execution> {
        while self.execution.sequence < sequence {
            let (next, rest) = self.rest.split_first()?;
            self.execution.apply(&next.event, next.time);
            self.rest = rest;
        }
        (sequence > 0 && self.execution.sequence == sequence).then_some(&self.execution)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::event::JobHeartbeat;
    use crate::engine::{Event, JobId, Program};
    use crate::language::{self, Format, Options};
    use crate::testing::generate;
    use crate::testing::simulate::Simulation;
    use crate::view::{Card, Places};

    /// The longest of some made-up histories, with its program.
    fn long_history() -> (Program, ExecutionId, Vec<Record>) {
        let program = |seed| {
            let text = generate::definition(seed).to_string();
            Program::new(language::parse(&text, Format::Json, &Options::default()).unwrap())
        };
        let simulations = (0..60).map(|seed| {
            let mut simulation = Simulation::new(program(seed), seed);
            simulation.run().unwrap();
            (seed, simulation)
        });
        let (seed, simulation) =
            simulations.max_by_key(|(_, simulation)| simulation.history.len()).unwrap();
        (program(seed), simulation.execution.id, simulation.records())
    }

    #[test]
    fn the_card_after_an_event_is_the_card_that_was_live_then() {
        let (program, id, history) = long_history();
        assert!(history.len() > 50, "only {} events", history.len());
        let mut moments = Moments::of(id, &history);
        for (count, record) in (1..).zip(&history) {
            let live = Record::fold(id, &history[..count]);
            let then = moments.after(record.sequence).unwrap();
            assert_eq!(then, &live, "after event {count}");
            let card = Card::of(&program, then, record.time);
            assert_eq!(card, Card::of(&program, &live, record.time), "after event {count}");
            assert_eq!(card.sequence, record.sequence);
        }
    }

    /// Folding from the first event for each moment would take 200 million steps here.
    #[test]
    fn each_moment_of_a_history_of_many_events_can_be_looked_at() {
        let (_, id, mut history) = long_history();
        let heartbeat: Event =
            JobHeartbeat { job: JobId(1), beat_at: history[history.len() - 1].time }.into();
        let heartbeat = Arc::new(heartbeat);
        for _ in 0..20_000 {
            let mut record = history[history.len() - 1].clone();
            record.sequence += 1;
            record.event = heartbeat.clone();
            history.push(record);
        }
        let mut moments = Moments::of(id, &history);
        let found = history.iter().filter(|record| moments.after(record.sequence).is_some());
        assert_eq!(found.count(), history.len());
    }

    #[test]
    fn there_is_nothing_before_the_first_event_nor_after_the_last() {
        let (_, id, history) = long_history();
        let last = u64::try_from(history.len()).unwrap();
        assert!(Moments::of(id, &history).after(0).is_none());
        assert!(Moments::of(id, &history).after(last + 1).is_none());
        let mut moments = Moments::of(id, &history);
        assert!(moments.after(last).is_some());
        assert!(moments.after(1).is_none(), "time runs forward");
    }

    #[test]
    fn a_fold_knows_where_things_are_as_the_events_before_it_told() {
        for seed in 0..120 {
            let text = generate::definition(seed).to_string();
            let parsed = language::parse(&text, Format::Json, &Options::default()).unwrap();
            let mut simulation = Simulation::new(Program::new(parsed), seed);
            simulation.run().unwrap();
            let mut told = Places::default();
            let mut execution = Execution::new(simulation.execution.id);
            for (event, time) in &simulation.history {
                let folded = Places::of(&execution).place(event);
                assert_eq!(folded, told.place(event), "seed {seed}: {event:?}");
                execution.apply(event, *time);
            }
        }
    }
}
