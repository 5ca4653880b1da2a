//! Telling how an execution ended, and what to type next.

use std::path::Path;

use super::Context;
use super::ending::told_outcome;
use super::exit::Exit;
use super::fault::Fault;
use super::ui::{Mark, Role};
use crate::engine::{Execution, ExecutionId, Program, Timestamp};
use crate::runtime::{Clock, SystemClock};
use crate::view::{ResultCard, duration, one_line};

/// The time now.
pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// What is wanted of an execution that has ended.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct EndArgs {
    /// Print the whole result, with all steps, instead of the output
    #[arg(long)]
    pub(super) result: bool,
    /// Exit with 0 also when the execution completed with errors
    #[arg(long)]
    pub(super) allow_errors: bool,
}

/// `--data DIR` as it must be typed again; nothing when it was not asked for.
pub(super) fn data_flag(context: &Context) -> String {
    let quoted = |data: &Path| format!(" --data {}", quoted(&data.display().to_string()));
    context.data.as_deref().map(quoted).unwrap_or_default()
}

/// An argument as a shell takes it.
pub(super) fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@=".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// Prints what `execution` gave to stdout, tells people how it ended, and says how to exit.
pub(super) fn report_end(
    context: &Context,
    program: &Program,
    execution: &Execution,
    wanted: EndArgs,
) -> Result<Exit, Box<Fault>> {
    let ui = &context.ui;
    let result = ResultCard::of(program, execution, now());
    if ui.is_json() || wanted.result {
        ui.document("everstep.result/v1", &result)?;
    } else if let Some(output) = &execution.output {
        ui.print(&format!("{}\n", output.as_str()))?;
    }
    let status = execution.status.as_str();
    let mark = Mark::of(status);
    let took = execution.updated_at.ms_since(execution.started_at);
    let errors = match execution.total_errors {
        0 => String::new(),
        1 => ", 1 error".to_owned(),
        count => format!(", {count} errors"),
    };
    let word = ui.paint_talk(mark.role, &mark.with_word(ui, status));
    let id = execution.id.short();
    ui.say(&format!("{word}  {} {id}  {}{errors}", execution.workflow, duration(took)));
    if let Some(failure) = &execution.failure {
        let (error, cause) = (one_line(&failure.error, 200), one_line(&failure.cause, 400));
        ui.say(&format!("  {}", ui.paint_talk(Role::Bad, &format!("{error}: {cause}"))));
    }
    for outcome in result.cleanup.iter().filter(|outcome| outcome.error.is_some()) {
        ui.say(&format!("  {}", ui.paint_talk(Role::Bad, &told_outcome(outcome))));
    }
    let next: &[&str] = match execution.permits_retry().is_ok() {
        true => &["retry", "why", "log show"],
        false => &["show", "log show"],
    };
    say_next(context, execution.id, next);
    Ok(Exit::of(execution.status, wanted.allow_errors))
}

/// Says which commands go on from here.
pub(super) fn say_next(context: &Context, id: ExecutionId, commands: &[&str]) {
    let flag = data_flag(context);
    let command = |command: &&str| format!("everstep {command} {}{flag}", id.short());
    let next = commands.iter().map(command).collect::<Vec<_>>().join(" · ");
    context.ui.say(&context.ui.paint_talk(Role::Faint, &format!("next: {next}")));
}

/// An execution that was put aside never ends by itself.
pub(super) fn set_aside(execution: ExecutionId, reason: &str) -> Box<Fault> {
    let message = format!("execution {} was set aside: {reason}", execution.short());
    Fault::new("SET_ASIDE", Exit::NotAllowed, message)
        .why("something of ours is wrong with it, so it waits for people")
        .hint(format!("everstep log show {}, and report it", execution.short()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("a/b.yaml"), "a/b.yaml");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
