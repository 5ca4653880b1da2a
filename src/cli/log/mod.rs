//! `everstep log`: the event log.

mod at;
mod compact;
mod diff;
mod export;
mod grep;
pub(super) mod line;
mod pages;
mod salvage;
mod show;
mod stats;
mod tail;
mod verify;

use super::Context;
use super::fault::Outcome;

#[derive(clap::Subcommand)]
pub(super) enum LogCommand {
    /// Print the events of one execution
    Show(show::LogShowArgs),
    /// Show an execution as it was right after one of its events
    At(at::LogAtArgs),
    /// Show what changed between two events of an execution
    Diff(diff::LogDiffArgs),
    /// Search events
    Grep(grep::LogGrepArgs),
    /// Print figures: events by type, executions by status, rates
    Stats(stats::LogStatsArgs),
    /// Print events as lines of JSON, without tokens
    Export(export::LogExportArgs),
    /// Print the newest events, and follow
    Tail(tail::LogTailArgs),
    /// Check that the log is whole and makes sense
    Verify,
    /// Give the bytes of deleted executions back, now
    Compact(compact::LogCompactArgs),
    /// Copy what can be read of a damaged log into a new one
    Salvage(salvage::LogSalvageArgs),
}

pub(super) async fn run(context: &Context, command: &LogCommand) -> Outcome {
    match command {
        LogCommand::Show(arguments) => show::run(context, arguments).await,
        LogCommand::At(arguments) => at::run(context, arguments).await,
        LogCommand::Diff(arguments) => diff::run(context, arguments).await,
        LogCommand::Grep(arguments) => grep::run(context, arguments).await,
        LogCommand::Stats(arguments) => stats::run(context, arguments).await,
        LogCommand::Export(arguments) => export::run(context, arguments).await,
        LogCommand::Tail(arguments) => tail::run(context, arguments).await,
        LogCommand::Verify => verify::run(context).await,
        LogCommand::Compact(arguments) => compact::run(context, arguments).await,
        LogCommand::Salvage(arguments) => salvage::run(context, arguments).await,
    }
}
