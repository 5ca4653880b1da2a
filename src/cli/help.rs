//! `everstep help`: a command, or the exit codes.

use clap::CommandFactory;
use serde::Serialize;

use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::ui::{Cell, Table};
use super::{CommandLine, Context};

#[derive(clap::Args)]
pub(super) struct HelpArgs {
    /// A command, or `exit-codes`
    topic: Vec<String>,
}

#[derive(Serialize)]
struct ExitCode {
    code: u8,
    meaning: &'static str,
}

pub(super) fn run(context: &Context, arguments: &HelpArgs) -> Outcome {
    if arguments.topic == ["exit-codes"] {
        return exit_codes(context);
    }
    let mut command = CommandLine::command();
    command.build();
    for word in &arguments.topic {
        let Some(inner) = command.find_subcommand(word) else {
            let message = format!("there is no command {word:?}");
            return Err(Fault::new("NO_SUCH_COMMAND", Exit::Usage, message).hint("everstep help"));
        };
        command = inner.clone();
    }
    context.ui.print(&command.render_long_help().to_string())?;
    Ok(Exit::Done)
}

fn exit_codes(context: &Context) -> Outcome {
    let codes =
        Exit::ALL.iter().map(|exit| ExitCode { code: exit.code(), meaning: exit.meaning() });
    let codes: Vec<ExitCode> = codes.collect();
    if context.ui.is_json() {
        context.ui.items("everstep.exit-codes/v1", &codes)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["CODE", "MEANING"]);
    for code in codes {
        table.row(vec![Cell::new(format!("{:>4}", code.code)), Cell::new(code.meaning)]);
    }
    context.ui.print(&table.text(&context.ui))?;
    Ok(Exit::Done)
}
