//! `everstep validate`: checks definitions.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Context;
use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::input::{self, DefinitionFile};
use super::ui::Mark;
use crate::language::{self, Checked, Diagnostic, Severity, Workflow, render};
use crate::view::counted;

#[derive(clap::Args)]
pub(super) struct ValidateArgs {
    /// Definitions, JSON or YAML
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Also find what AWS Step Functions would refuse
    #[arg(long)]
    aws: bool,
}

/// What was found in one file.
#[derive(Serialize)]
struct Finding {
    file: String,
    is_valid: bool,
    /// The content hash, when it is valid.
    definition: Option<String>,
    states: Option<usize>,
    job_types: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn run(context: &Context, arguments: &ValidateArgs) -> Outcome {
    let ui = &context.ui;
    let mut findings = Vec::new();
    for file in &arguments.files {
        let definition = input::definition(file)?;
        let mut checked = checked(&definition);
        if arguments.aws {
            checked.add_aws(&definition.text, definition.format, &language::Options::default());
        }
        if !ui.is_json() {
            ui.print(&words(context, file, &definition.text, &checked))?;
        }
        findings.push(finding(file, checked));
    }
    if ui.is_json() {
        ui.items("everstep.validations/v1", &findings)?;
    }
    let is_valid = findings.iter().all(|finding| finding.is_valid);
    Ok(if is_valid { Exit::Done } else { Exit::Invalid })
}

/// Refuses a definition with faults, and shows them with their lines.
///
/// # Errors
/// It cannot be read, or has errors.
pub(super) fn check(context: &Context, file: &Path) -> Result<(), Box<Fault>> {
    let definition = input::definition(file)?;
    let checked = checked(&definition);
    sound(context, file, &definition.text, checked).map(drop)
}

/// Takes the workflow; refuses one with faults, and shows them with their lines of `text`.
///
/// # Errors
/// It has errors.
pub(super) fn sound(
    context: &Context,
    file: &Path,
    text: &str,
    checked: Checked,
) -> Result<Workflow, Box<Fault>> {
    if let Some(workflow) = checked.workflow {
        return Ok(workflow);
    }
    let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let file = file.display().to_string();
    let errors = counted(u64::try_from(errors).unwrap_or(u64::MAX), "error");
    let message = format!("{file} is invalid: {errors}");
    let mut fault = Fault::new("INVALID_DEFINITION", Exit::Invalid, message)
        .why("nothing was started")
        .hint(format!("everstep validate {}", super::wait::quoted(&file)));
    if !context.ui.is_json() {
        context.ui.say(render(&checked.diagnostics, text, &file).trim_end());
    }
    fault.faults = checked.diagnostics;
    Err(fault)
}

fn checked(definition: &DefinitionFile) -> Checked {
    language::check(&definition.text, definition.format, &language::Options::default())
}

fn words(context: &Context, file: &Path, text: &str, checked: &Checked) -> String {
    let file = file.display().to_string();
    let mut words = String::new();
    if !checked.diagnostics.is_empty() {
        words = render(&checked.diagnostics, text, &file);
    }
    if let Some(workflow) = &checked.workflow {
        let mark = Mark::of("completed");
        let glyph = context.ui.paint(mark.role, mark.glyph(&context.ui));
        let types = workflow.job_types();
        let types = if types.is_empty() { "none".to_owned() } else { types.join(", ") };
        let states = u64::try_from(workflow.states.len()).unwrap_or(u64::MAX);
        let states = counted(states, "state");
        words.push_str(&format!("{glyph} {file}: valid, {states}, job types: {types}\n"));
    }
    words
}

fn finding(file: &Path, checked: Checked) -> Finding {
    let workflow = checked.workflow.as_ref();
    let types = workflow.map(Workflow::job_types).unwrap_or_default();
    Finding {
        file: file.display().to_string(),
        is_valid: workflow.is_some(),
        definition: workflow.map(|workflow| workflow.hash.to_string()),
        states: workflow.map(|workflow| workflow.states.len()),
        job_types: types.iter().map(ToString::to_string).collect(),
        diagnostics: checked.diagnostics,
    }
}
