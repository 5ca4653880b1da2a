//! What a workflow says about itself as a whole: how many of its executions may run at once, its
//! labels, and what its job types are called. All of it is Everstep's own; AWS has none of it.

use std::sync::Arc;

use indexmap::IndexMap;

use super::expression::Template;

/// Extension `Concurrency`: how many executions may run at once.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// `Key` or `KeyPath`: executions that give the same text share their places. Absent: all do.
    pub key: Option<Template>,
    /// `Limit`: how many places there are for each key.
    pub limit: u32,
    /// `WhenFull`: what becomes of one that finds no place.
    pub when_full: WhenFull,
}

/// `WhenFull`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// `queue`: it waits, in the order of the starts.
    #[default]
    Queue,
    /// `refuse`: it does not begin.
    Refuse,
}

/// Extension `Labels`: texts by name.
pub type Labels = IndexMap<String, String>;

/// An entry of extension `JobTypes`: what people call the jobs of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobTypeWords {
    /// `Label`: the type's name for people.
    pub label: Option<String>,
    /// `Colour`: one of [`COLOURS`], or `#rrggbb`.
    pub colour: Option<String>,
    /// `Unit`: what a job counts, many of them: `scenes`.
    pub unit: Option<String>,
    /// `UnitSingular`: one of them: `scene`.
    pub unit_singular: Option<String>,
}

/// Extension `JobTypes`: words for job types.
pub type JobTypes = IndexMap<Arc<str>, JobTypeWords>;

/// The colours that have a name.
pub const COLOURS: &[&str] = &[
    "black", "blue", "brown", "cyan", "gray", "green", "grey", "magenta", "orange", "pink",
    "purple", "red", "teal", "white", "yellow",
];

impl JobTypeWords {
    /// The word for this many things: `scene`, `scenes`; none when the type has no `Unit`. Without
    /// a `UnitSingular` one thing goes by the same word as many.
    #[must_use]
    pub fn unit_for(&self, count: u64) -> Option<&str> {
        let singular = self.unit_singular.as_deref().filter(|_| count == 1);
        singular.or(self.unit.as_deref())
    }
}
