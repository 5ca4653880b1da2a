//! `everstep export`: a definition for another system.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::{Context, input, validate};
use crate::language::{self, aws};
use crate::view::counted;

#[derive(clap::Args)]
pub(super) struct ExportArgs {
    /// The definition, JSON or YAML
    file: PathBuf,
    /// For AWS Step Functions
    #[arg(long, required = true)]
    aws: bool,
    /// With --aws: the region of its activities
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// With --aws: the account of its activities
    #[arg(long, value_name = "NUMBER", default_value = "123456789012")]
    account: String,
}

#[derive(Serialize)]
struct Exported<'e> {
    definition: &'e Value,
    losses: &'e [aws::Loss],
}

pub(super) fn run(context: &Context, arguments: &ExportArgs) -> Outcome {
    let account = aws::Account::new(&arguments.region, &arguments.account).map_err(|error| {
        Fault::new("BAD_ACCOUNT", Exit::Usage, error.to_string())
            .hint("--region us-east-1 --account 123456789012")
    })?;
    let definition = input::definition(&arguments.file)?;
    let options = language::Options::default();
    let checked = language::check(&definition.text, definition.format, &options);
    let workflow = validate::sound(context, &arguments.file, &definition.text, checked)?;
    let export = aws::export(&workflow, &account);
    let ui = &context.ui;
    if ui.is_json() {
        let exported = Exported { definition: &export.definition, losses: &export.losses };
        ui.document("everstep.export/v1", &exported)?;
        return Ok(Exit::Done);
    }
    // `{:#}` of a JSON value is its text with indents.
    ui.print(&format!("{:#}\n", export.definition))?;
    if !export.losses.is_empty() {
        let count = counted(u64::try_from(export.losses.len()).unwrap_or(u64::MAX), "change");
        let mut talk = format!("{count} for AWS:");
        for loss in &export.losses {
            let place = if loss.pointer.is_empty() { "/" } else { &loss.pointer };
            talk.push_str(&format!("\n  {place}: {}", loss.what));
        }
        ui.say(&talk);
    }
    Ok(Exit::Done)
}
