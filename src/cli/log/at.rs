//! `everstep log at`: an execution as it was.

use super::super::Context;
use super::super::exit::Exit;
use super::super::fault::Outcome;
use super::super::show::print_card;
use super::super::source::SourceArgs;
use crate::view::Card;

#[derive(clap::Args)]
pub(in super::super) struct LogAtArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// The last event that the card knows of, by its sequence in `log show`
    sequence: u64,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &LogAtArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let id = source.find(&arguments.id).await?;
    let (execution, moment) = source.moment(id, Some(arguments.sequence)).await?;
    let program = source.program(execution.definition).await?;
    print_card(context, &Card::of(&program, &execution, moment))?;
    if !context.ui.is_json() {
        arguments.source.say_next(context, id, &["log show", "show"]);
    }
    Ok(Exit::Done)
}
