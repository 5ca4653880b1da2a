//! `everstep graph`: a workflow as a picture.

use std::path::PathBuf;

use super::exit::Exit;
use super::fault::Outcome;
use super::{Context, input, validate};
use crate::language::{self, graph};

#[derive(clap::Args)]
pub(super) struct GraphArgs {
    /// The definition, JSON or YAML
    file: PathBuf,
    /// The kind of picture
    #[arg(long, value_enum, default_value = "text")]
    format: Picture,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Picture {
    /// For terminals.
    Text,
    /// For Markdown pages.
    Mermaid,
    /// For Graphviz.
    Dot,
}

pub(super) fn run(context: &Context, arguments: &GraphArgs) -> Outcome {
    validate::check(context, &arguments.file)?;
    let definition = input::definition(&arguments.file)?;
    let options = language::Options::default();
    let workflow = language::parse(&definition.text, definition.format, &options)
        .map_err(|faults| crate::runtime::Error::InvalidDefinition { faults })?;
    let picture = match arguments.format {
        Picture::Text => graph::text(&workflow),
        Picture::Mermaid => graph::mermaid(&workflow),
        Picture::Dot => graph::dot(&workflow),
    };
    context.ui.print(&(picture.trim_end().to_owned() + "\n"))?;
    Ok(Exit::Done)
}
