//! Places and counters, as people see them.

use serde::Serialize;

use crate::engine::Execution;
use crate::language::machine_fields::JobTypeWords;

/// The place that an execution needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceCard {
    /// What executions share places by; empty when the workflow has one key for all.
    pub key: String,
    /// How many places there were when it was started.
    pub limit: u32,
    /// When it got its place, as RFC 3339; absent while it waits.
    pub admitted_at: Option<String>,
}

impl PlaceCard {
    pub(super) fn of(execution: &Execution) -> Option<Self> {
        let place = execution.place.as_ref()?;
        Some(Self {
            key: place.key.to_string(),
            limit: place.limit,
            admitted_at: execution.admitted_at.map(|at| at.to_string()),
        })
    }
}

/// What a job counts, in words: `4 / 6 scenes`, `1 scene`. None when it counts nothing.
pub(super) fn counters(
    words: Option<&JobTypeWords>,
    processed: Option<u64>,
    total: Option<u64>,
) -> Option<String> {
    let counted = match (processed, total) {
        (None, _) => return None,
        (Some(processed), None) => processed.to_string(),
        (Some(processed), Some(total)) => format!("{processed} / {total}"),
    };
    // The unit belongs to the number that stands before it.
    let unit = words.and_then(|words| words.unit_for(total.or(processed)?));
    Some(unit.map_or_else(|| counted.clone(), |unit| format!("{counted} {unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_unit_of_their_job_type() {
        let words = JobTypeWords {
            unit: Some("scenes".to_owned()),
            unit_singular: Some("scene".to_owned()),
            ..JobTypeWords::default()
        };
        let told = |processed, total| counters(Some(&words), processed, total);
        assert_eq!(told(Some(4), Some(6)).as_deref(), Some("4 / 6 scenes"));
        assert_eq!(told(Some(0), Some(1)).as_deref(), Some("0 / 1 scene"));
        assert_eq!(told(Some(1), None).as_deref(), Some("1 scene"));
        assert_eq!(told(Some(2), None).as_deref(), Some("2 scenes"));
        assert_eq!(told(None, Some(6)), None);
        assert_eq!(counters(None, Some(4), Some(6)).as_deref(), Some("4 / 6"));
    }
}
