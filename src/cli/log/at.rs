//! `everstep log at`: an execution as it was.

use super::super::exit::Exit;
use super::super::fault::Outcome;
use super::super::show::print_card;
use super::super::source::Source;
use super::super::wait::say_next;
use super::super::{Context, data};
use crate::store::Check;
use crate::view::Card;

#[derive(clap::Args)]
pub(in super::super) struct LogAtArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// The last event that the card knows of, by its sequence in `log show`
    sequence: u64,
}

pub(super) async fn run(context: &Context, arguments: &LogAtArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    let source = Source::open(&folder, Check::Tail).await?;
    let id = source.find(&arguments.id).await?;
    let (execution, moment) = source.moment(id, Some(arguments.sequence)).await?;
    let program = source.program(execution.definition).await?;
    print_card(context, &Card::of(&program, &execution, moment))?;
    if !context.ui.is_json() {
        say_next(context, id, &["log show", "show"]);
    }
    Ok(Exit::Done)
}
