//! What a retry keeps, and what it does again.

use serde::{Deserialize, Serialize};

use super::text::{counted, one_line};
use crate::engine::{ExecutionId, Program, RedrivePlan};

/// What a retry of an execution keeps, and what it does again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryCard {
    /// The execution's id.
    pub id: String,
    /// Its short name.
    pub handle: String,
    /// The workflow's name.
    pub workflow: String,
    /// How the execution had ended.
    pub status: String,
    /// Which retry of the execution this is, from 1.
    pub redrive: u32,
    /// The sequence of the event that it goes back to; 0 when nothing had been entered.
    pub back_to: u64,
    /// The steps that keep their results, in the order in which they were entered.
    pub kept: Vec<String>,
    /// The step that runs again.
    pub step_name: String,
    /// Which attempt of that step comes next.
    pub attempt: u32,
    /// Whether it gets another input than before.
    pub input_changed: bool,
    /// Of a Parallel or Map some parts of which are kept: how many.
    pub parts: Option<RetriedParts>,
    /// Steps that may follow, in the order of the definition.
    pub then: Vec<String>,
}

/// Branches, items or batches of the step that runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedParts {
    /// All of them.
    pub total: u32,
    /// Those that are done.
    pub kept: u32,
    /// Those that run again.
    pub again: u32,
}

impl RetryCard {
    /// What `plan` says about an execution of `program`.
    #[must_use]
    pub fn of(id: ExecutionId, program: &Program, plan: &RedrivePlan) -> Self {
        let outlook = program.outlook(&plan.step);
        let follows = |name: &str| {
            let shown = program.state(name).is_some_and(|state| state.weight > 0.0);
            shown
                && name != &*plan.step
                && outlook.is_some_and(|outlook| outlook.reachable.contains(name))
        };
        let states = &program.workflow.root.states;
        let parts = plan.parts.as_ref().map(|parts| {
            let kept = u32::try_from(parts.parts.len()).unwrap_or(u32::MAX);
            let total = parts.fork.total;
            RetriedParts { total, kept, again: total.saturating_sub(kept) }
        });
        Self {
            id: id.to_string(),
            handle: id.handle(),
            workflow: plan.workflow.to_string(),
            status: plan.ended.as_str().to_owned(),
            redrive: plan.redrives.saturating_add(1),
            back_to: plan.back_to,
            kept: plan.kept.iter().map(ToString::to_string).collect(),
            step_name: plan.step.to_string(),
            attempt: plan.attempts.saturating_add(1),
            input_changed: plan.input_changed,
            parts,
            then: states.iter().filter(|n| follows(n)).map(ToString::to_string).collect(),
        }
    }

    /// The same in lines, for people, without the name of the execution.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let names = |names: &[String]| {
            let shown = names.iter().map(|name| format!("\"{}\"", one_line(name, 60)));
            shown.collect::<Vec<_>>().join(", ")
        };
        let mut lines = Vec::new();
        if !self.kept.is_empty() {
            lines.push(format!("keep       {}", names(&self.kept)));
        }
        let parts = self.parts.map(|RetriedParts { total, kept, again }| {
            let again =
                if again == 0 { "no part".to_owned() } else { counted(again.into(), "part") };
            format!(": {again} of {total}, {kept} kept")
        });
        let input = if self.input_changed { " with another input" } else { "" };
        lines.push(format!(
            "run again  \"{}\" (attempt {}){input}{}",
            one_line(&self.step_name, 60),
            self.attempt,
            parts.unwrap_or_default()
        ));
        if !self.then.is_empty() {
            lines.push(format!("then       {}", names(&self.then)));
        }
        lines
    }
}
