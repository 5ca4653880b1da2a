//! What stands out on a timeline: where something was tried again, got lost, or was held.

use serde::Serialize;

use super::{Places, sentence};
use crate::engine::{Event, PauseScope};
use crate::language::StateName;
use crate::store::Record;

/// Marks that a timeline has; the rest are counted.
const MARKS_NAMED: usize = 500;

/// What stands out at a moment of an execution, or from then on for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// `retry` of a step, `lost` attempt, `pause`, or `redrive` of an execution that had ended.
    pub kind: &'static str,
    /// When, as RFC 3339.
    pub at: String,
    /// Of a pause: when it ended, as RFC 3339; nothing while it lasts.
    pub until: Option<String>,
    /// The sequence of the event that it is.
    pub sequence: u64,
    /// The state that it happened in.
    pub step_name: Option<StateName>,
    /// What the event says, in one line.
    pub words: String,
    #[serde(skip)]
    scope: Option<PauseScope>,
}

/// The marks of a history, and how many more there are.
pub(super) fn marks(history: &[Record]) -> (Vec<Mark>, usize) {
    let mut places = Places::default();
    let mut marks: Vec<Mark> = Vec::new();
    let mut more = 0;
    for record in history {
        let step_name = places.place(&record.event);
        let mut scope = None;
        let kind = match &*record.event {
            Event::RetryScheduled(_) => "retry",
            Event::AttemptLost(_) => "lost",
            Event::ExecutionRedriven(_) => "redrive",
            Event::ExecutionPaused(body) => {
                scope = Some(body.scope);
                "pause"
            }
            Event::ExecutionResumed(body) => {
                let is_open =
                    |mark: &&mut Mark| mark.scope == Some(body.scope) && mark.until.is_none();
                if let Some(pause) = marks.iter_mut().rev().find(is_open) {
                    pause.until = Some(record.time.to_string());
                }
                continue;
            }
            // Nothing else stands out.
            _ => continue,
        };
        if marks.len() == MARKS_NAMED {
            more += 1;
            continue;
        }
        let (at, words) = (record.time.to_string(), sentence(&record.event));
        marks.push(Mark {
            kind,
            at,
            until: None,
            sequence: record.sequence,
            step_name,
            words,
            scope,
        });
    }
    (marks, more)
}
