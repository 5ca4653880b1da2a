//! How a status looks: always a glyph and its word, so that colour alone never says anything.

use super::Ui;
use super::style::Role;

/// The look of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    glyph: &'static str,
    ascii: &'static str,
    /// Its colour.
    pub(crate) role: Role,
}

impl Mark {
    /// The look of a status of an execution, a step or a job.
    pub(crate) fn of(status: &str) -> Self {
        let (glyph, ascii, role) = match status {
            "running" => ("◐", ">", Role::Active),
            "waiting" | "retrying" => ("◷", "~", Role::Caution),
            "paused" => ("‖", "=", Role::Caution),
            "cancelling" => ("◌", "/", Role::Plain),
            "completed" => ("✓", "+", Role::Good),
            "completed_with_errors" => ("✓!", "!", Role::Caution),
            "failed" | "timed_out" => ("✕", "x", Role::Bad),
            "cancelled" => ("⊘", "-", Role::Plain),
            "skipped" => ("·", "_", Role::Faint),
            _ => ("○", ".", Role::Plain),
        };
        Self { glyph, ascii, role }
    }

    /// The glyph alone.
    pub(crate) fn glyph(self, ui: &Ui) -> &'static str {
        if ui.is_ascii { self.ascii } else { self.glyph }
    }

    /// The look of an execution's status: while it is paused that is what counts.
    pub(crate) fn of_execution(status: &str, is_paused: bool) -> Self {
        Self::of(if is_paused { "paused" } else { status })
    }

    /// Glyph and word of an execution: the status stays, and that it is paused is said beside it.
    pub(crate) fn with_status(self, ui: &Ui, status: &str, is_paused: bool) -> String {
        self.with_word(ui, status) + if is_paused { " (paused)" } else { "" }
    }

    /// Glyph and word.
    pub(crate) fn with_word(self, ui: &Ui, status: &str) -> String {
        format!("{} {}", self.glyph(ui), status.replace('_', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Status, StepStatus};

    #[test]
    fn no_two_unlike_statuses_share_a_glyph() {
        let statuses = [Status::Pending, Status::Running, Status::Cancelling, Status::Completed];
        let mut seen = Vec::new();
        for status in statuses {
            let mark = Mark::of(status.as_str());
            assert!(!seen.contains(&mark.ascii), "{status:?}");
            seen.push(mark.ascii);
        }
        assert_eq!(Mark::of(StepStatus::Failed.as_str()), Mark::of("timed_out"));
        assert!(!seen.contains(&Mark::of("paused").ascii));
        assert_eq!(Mark::of("waiting").ascii, "~");
    }
}
