//! What people are told of lives.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::life::{Counts, Outcome, live};
use super::plan::Plan;
use super::shrink::shrink;

/// Lines of a story that a report shows.
const LINES: usize = 60;

/// Lives a life; a panic is a fault of it.
#[must_use]
pub fn live_safely(plan: &Plan) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| live(plan))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        Outcome { fault: Some(format!("a panic: {words}")), ..Outcome::default() }
    })
}

/// What is to be known of a seed that fails: all that it stands for, made as small as possible, and
/// the end of its story.
#[must_use]
pub fn report(seed: u64) -> String {
    let (plan, outcome) = shrink(&Plan::of(seed));
    let mut text = format!("seed {seed} fails: {}\n", outcome.fault.unwrap_or_default());
    let expanded = serde_json::to_string(&plan).unwrap_or_default();
    let _ = writeln!(text, "of this is left: {expanded}");
    let mut story = outcome.story;
    // What those saw who follow the log is the log.
    story.retain(|told| told.get("call").is_none_or(|call| call != "followed"));
    let skipped = story.len().saturating_sub(LINES);
    let _ = writeln!(text, "its story, without {skipped} lines before:");
    for told in story.iter().skip(skipped) {
        let _ = writeln!(text, "  {told}");
    }
    let _ = write!(
        text,
        "live it again: cargo run --release --features testing --example simulate -- --seed {seed} --seeds 1"
    );
    text
}

/// Figures of many lives.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Lives.
    pub lives: u64,
    /// What happened in them together.
    pub counts: Counts,
}

impl Totals {
    /// Adds a life.
    pub fn add(&mut self, counts: &Counts) {
        self.lives += 1;
        let all = &mut self.counts;
        all.steps += counts.steps;
        all.virtual_ms += counts.virtual_ms;
        all.restarts += counts.restarts;
        all.executions += counts.executions;
        all.events += counts.events;
        all.acknowledged += counts.acknowledged;
        for (kind, count) in &counts.faults {
            *all.faults.entry(kind).or_default() += count;
        }
    }

    /// Adds other totals.
    pub fn merge(&mut self, other: &Self) {
        let lives = self.lives + other.lives;
        self.add(&other.counts);
        self.lives = lives;
    }

    /// Faults of all kinds, by how often they happened.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.counts.faults.clone()
    }
}
