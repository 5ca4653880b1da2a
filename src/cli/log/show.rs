//! `everstep log show`: everything that happened in one execution.

use super::super::Context;
use super::super::exit::Exit;
use super::super::fault::Outcome;
use super::super::source::SourceArgs;
use super::super::ui::{Cell, Role, Table};
use super::line::role;
use crate::engine::Timestamp;
use crate::store::Record;
use crate::view::{EventDocument, Places, Told};

#[derive(clap::Args)]
pub(in super::super) struct LogShowArgs {
    /// The execution: its id, a beginning of its handle, or @ for the newest
    id: String,
    /// Only events of this state
    #[arg(long, value_name = "STATE")]
    step: Option<String>,
    /// Only events of these names, as JobFailed
    #[arg(long = "type", value_delimiter = ',', value_name = "EVENT")]
    types: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) async fn run(context: &Context, arguments: &LogShowArgs) -> Outcome {
    let source = arguments.source.open(context).await?;
    let records = source.history(source.find(&arguments.id).await?).await?;
    let began = records.first().map_or(Timestamp(0), |record| record.time);
    let mut places = Places::default();
    // Every event is told, also those that are not shown: places are learnt from all of them.
    let told = records.iter().map(|record| (record, Told::of(record, &mut places)));
    let shown = told.filter(|(record, told)| is_wanted(arguments, record, told.step.as_deref()));
    let ui = &context.ui;
    if ui.is_json() {
        let documents: Vec<_> =
            shown.map(|(record, told)| EventDocument::of(record, told)).collect();
        ui.items("everstep.events/v1", &documents)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["SEQ", "+TIME", "EVENT", "STEP", "DETAIL"]);
    for (record, told) in shown {
        let after = record.time.ms_since(began);
        table.row(vec![
            Cell::new(format!("{:>4}", record.sequence)),
            Cell::painted(Role::Faint, format!("+{}.{:03}s", after / 1000, after % 1000)),
            Cell::painted(role(record), record.event.name()),
            Cell::new(told.step.unwrap_or_default()),
            Cell::new(told.sentence),
        ]);
    }
    ui.print(&table.text(ui))?;
    Ok(Exit::Done)
}

fn is_wanted(arguments: &LogShowArgs, record: &Record, step: Option<&str>) -> bool {
    let name = record.event.name();
    (arguments.types.is_empty() || arguments.types.iter().any(|wanted| wanted == name))
        && arguments.step.as_deref().is_none_or(|wanted| step == Some(wanted))
}
