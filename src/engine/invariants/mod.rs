//! What is true of every execution between two commands, and of every history.
//!
//! Each rule is a function with a name. Tests, the simulator and fuzzing hold them after every
//! command; debug builds do so in [`super::decide()`]; `log verify` holds them against a log.

mod cleanup;
mod history;
mod pause;
mod state;

pub use history::check_history;
pub use pause::begins;

use super::execution::Execution;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} does not hold: {detail}")]
pub struct Violation {
    /// The rule, as [`ALL`] names it.
    pub name: &'static str,
    /// What breaks it.
    pub detail: String,
}

/// A rule about an execution between two commands.
pub type Check = fn(&Execution) -> Result<(), Violation>;

/// Every rule about an execution, with its name.
pub const ALL: &[(&str, Check)] = &[
    ("ready_frames_are_those_that_can_move", state::ready_frames_are_those_that_can_move),
    ("timers_are_what_is_waited_for", state::timers_are_what_is_waited_for),
    ("jobs_and_frames_point_at_each_other", state::jobs_and_frames_point_at_each_other),
    ("jobs_stand_where_the_execution_allows", state::jobs_stand_where_the_execution_allows),
    ("parents_list_their_children", state::parents_list_their_children),
    ("forks_account_for_their_parts", state::forks_account_for_their_parts),
    ("the_end_leaves_nothing_open", state::the_end_leaves_nothing_open),
    ("the_status_has_its_reason", state::the_status_has_its_reason),
    ("progress_is_a_percentage", state::progress_is_a_percentage),
    ("ids_are_never_used_again", state::ids_are_never_used_again),
    ("times_are_in_order", state::times_are_in_order),
    ("a_place_is_waited_for_or_held", state::a_place_is_waited_for_or_held),
    ("closing_waits_for_something", state::closing_waits_for_something),
    ("only_what_goes_on_is_paused", state::only_what_goes_on_is_paused),
    ("cleaning_up_comes_after_the_work", cleanup::cleaning_up_comes_after_the_work),
    ("each_step_is_undone_once", cleanup::each_step_is_undone_once),
];

/// Holds every rule against an execution, as it is between two commands.
///
/// # Errors
/// The first rule that does not hold.
pub fn check(execution: &Execution) -> Result<(), Violation> {
    ALL.iter().try_for_each(|(_, check)| check(execution))
}

/// Says that a rule is broken unless `holds`.
fn ensure(
    holds: bool,
    name: &'static str,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { name, detail: detail() }) }
}
