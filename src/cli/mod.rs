//! The `everstep` program: one file for each subcommand, with its arguments and what it does.
//!
//! stdout is data and stderr is talk. What scripts may rely on are the JSON documents, within a
//! version of their schema, and the exit codes in [`exit`].

mod callback;
mod cancel;
mod changes;
mod config;
mod data;
mod delete;
mod diff;
mod ending;
mod engine;
pub mod exit;
mod export;
mod fault;
mod file;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod fuzz;
mod graph;
mod help;
mod in_process;
mod input;
mod list;
mod listen;
mod live;
mod log;
mod moment;
mod ndjson;
mod notify;
mod pause;
mod progress;
mod replay;
mod rerun;
mod resume;
mod retry;
mod run;
mod serve;
mod show;
mod signals;
mod source;
mod start;
mod test_state;
mod token;
mod traces;
mod ui;
mod validate;
mod wait;
mod watch;
mod why;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::exit::Exit;
use self::fault::{Fault, Outcome};
use self::ui::{BesideBars, ColorChoice, Output, Ui, Wishes};
use crate::telemetry::{self, LogFormat, Verbosity};

/// Threads that read the disk, for each processor, and at least. They come when many read at once, and
/// as work is given to all in turn hardly ever go again.
const READERS_EACH: usize = 4;
const READERS: usize = 16;

const EXAMPLES: &str = "\
Examples:
  everstep run import.yaml --input '{\"path\": \"inbox\"}'   run a workflow to its end
  everstep run import.yaml --resume                        go on where it was
  everstep list                                            what ran, and what runs
  everstep show @                                          the newest execution
  everstep why @                                           why it waits, or how it failed
  everstep log show @                                      everything that happened in it";

/// Runs workflows that survive crashes.
#[derive(Parser)]
#[command(name = "everstep", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// The data folder [default: ./everstep-data, or what everstep.toml says]
    #[arg(long, global = true, value_name = "DIR", env = "EVERSTEP_DATA")]
    data: Option<PathBuf>,
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    output: Output,
    /// Print JSON: the same as --output json
    #[arg(long, global = true, conflicts_with = "output")]
    json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value = "auto")]
    color: ColorChoice,
    /// Use only ASCII for marks and bars
    #[arg(long, global = true)]
    ascii: bool,
    /// Say only what goes wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; twice: say everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How log lines are written
    #[arg(long, global = true, value_enum, default_value = "text", env = "EVERSTEP_LOG_FORMAT")]
    log_format: LogFormat,
    /// Never ask anything
    #[arg(long, global = true)]
    no_input: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run a workflow to its end, in this process
    Run(run::RunArgs),
    /// Start an execution in a running server
    Start(start::StartArgs),
    /// Run the engine until it is told to stop
    Serve(serve::ServeArgs),
    /// Run the commands bound in everstep.toml for a server elsewhere
    Worker(worker::WorkerArgs),
    /// List executions
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Show one execution
    Show(show::ShowArgs),
    /// Show executions while they run, as they change
    Watch(watch::WatchArgs),
    /// Say why an execution waits, or how it ended
    Why(why::WhyArgs),
    /// Compare two executions
    Diff(diff::DiffArgs),
    /// Hold what was recorded against another definition, without effects
    Replay(replay::ReplayArgs),
    /// Ask an execution to stop
    Cancel(cancel::CancelArgs),
    /// Go on with an execution that failed, timed out, was cancelled or completed with errors
    Retry(retry::RetryArgs),
    /// Start a new execution with the input of another one
    Rerun(rerun::RerunArgs),
    /// Hold executions, a workflow, or jobs of a type
    Pause(pause::PauseArgs),
    /// Let go on what was paused
    Resume(resume::ResumeArgs),
    /// Delete executions that have ended
    #[command(visible_alias = "rm")]
    Delete(delete::DeleteArgs),
    /// Answer a job that waits for a callback
    #[command(subcommand)]
    Callback(callback::CallbackCommand),
    /// Look at the event log
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Check definitions
    Validate(validate::ValidateArgs),
    /// Print a definition for another system
    Export(export::ExportArgs),
    /// Run one state of a definition alone
    TestState(test_state::TestStateArgs),
    /// Print a workflow as a picture
    Graph(graph::GraphArgs),
    /// Make, list and revoke tokens for the server
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Show how the program is set up
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Explain a command, or `exit-codes`
    Help(help::HelpArgs),
}

/// What every subcommand gets.
struct Context {
    ui: Ui,
    /// The data folder that was asked for.
    data: Option<PathBuf>,
    /// Whether nothing may be asked.
    no_input: bool,
}

/// Runs the program with a command line, whose first word is the program's name. Returns how the
/// process should end.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => {
            // Help and version, which clap counts as errors too, go to stdout.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let context = context(&line.global);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(READERS.max(processors * READERS_EACH))
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(&context, line.command)),
        Err(error) => {
            Err(Fault::new("NO_RUNTIME", Exit::Other, "the program cannot start its threads")
                .why(error.to_string()))
        }
    };
    outcome.unwrap_or_else(|fault| {
        context.ui.complain(&fault);
        fault.exit
    })
}

fn context(global: &Global) -> Context {
    let wishes = Wishes {
        output: if global.json { Output::Json } else { global.output },
        color: global.color,
        is_ascii: global.ascii,
        is_quiet: global.quiet,
        log_format: global.log_format,
    };
    let ui = Ui::new(&wishes);
    let verbosity = match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::Debug,
    };
    let beside = BesideBars(ui.bars.clone());
    telemetry::init(verbosity, global.log_format, move || beside.clone());
    Context { ui, data: global.data.clone(), no_input: global.no_input }
}

async fn dispatch(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Run(arguments) => run::run(context, arguments).await,
        Command::Start(arguments) => start::run(context, arguments).await,
        Command::Serve(arguments) => serve::run(context, arguments).await,
        Command::Worker(arguments) => worker::run(context, arguments).await,
        Command::List(arguments) => list::run(context, &arguments).await,
        Command::Show(arguments) => show::run(context, &arguments).await,
        Command::Watch(arguments) => watch::run(context, &arguments).await,
        Command::Why(arguments) => why::run(context, &arguments).await,
        Command::Diff(arguments) => diff::run(context, &arguments).await,
        Command::Replay(arguments) => replay::run(context, &arguments).await,
        Command::Cancel(arguments) => cancel::run(context, &arguments).await,
        Command::Retry(arguments) => retry::run(context, arguments).await,
        Command::Rerun(arguments) => rerun::run(context, arguments).await,
        Command::Pause(arguments) => pause::run(context, &arguments).await,
        Command::Resume(arguments) => resume::run(context, &arguments).await,
        Command::Delete(arguments) => delete::run(context, &arguments).await,
        Command::Callback(command) => callback::run(context, command).await,
        Command::Log(command) => log::run(context, &command).await,
        Command::Validate(arguments) => validate::run(context, &arguments),
        Command::Export(arguments) => export::run(context, &arguments),
        Command::TestState(arguments) => test_state::run(context, &arguments),
        Command::Graph(arguments) => graph::run(context, &arguments),
        Command::Token(command) => token::run(context, &command),
        Command::Config(command) => config::run(context, &command),
        Command::Help(arguments) => help::run(context, &arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::CommandLine::command().debug_assert();
    }
}
