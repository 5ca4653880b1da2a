//! Definition text as a tree in which every key and value knows its place.
//!
//! JSON and YAML become the same [`Node`], so that everything after this module neither knows nor
//! cares how the author spelled the definition.

mod fault;
mod json;
mod place;
mod scalar;
mod tree;
mod yaml;

use std::path::Path;

pub(crate) use fault::{Fault, Faults};
pub(crate) use place::{Place, Segment, escaped};
pub(crate) use tree::{Content, Member, Node, Span};

use super::diagnostic::codes;
use super::read::Options;

/// How a definition is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON, strictly.
    Json,
    /// YAML 1.2 with the core schema.
    Yaml,
}

impl Format {
    /// The format that a file's name stands for: `.json` is JSON; `.yaml` and `.yml` are YAML,
    /// in any case of letters. `None` for every other name.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// Reads the text into a tree; `None` after a fault that leaves no tree.
///
/// Every fault is reported to `faults`. Repeated keys are reported too, but leave a tree, so that
/// the rest of the definition can still be checked.
pub(crate) fn tree(
    text: &str,
    format: Format,
    options: &Options,
    faults: &mut Faults<'_>,
) -> Option<Node> {
    if text.len() > options.max_bytes {
        let message = format!(
            "the definition has {} bytes; at most {} are allowed",
            text.len(),
            options.max_bytes
        );
        let fault = Fault::new(codes::LIMIT, Span::default(), message)
            .hint("move large data out of the definition, into the execution's input");
        faults.report(&Place::root(), fault);
        return None;
    }
    match format {
        Format::Json => json::read(text, options, faults),
        Format::Yaml => yaml::read(text, options, faults),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_gives_the_format() {
        let of = |name: &str| Format::of_path(Path::new(name));
        assert_eq!(of("a/import.asl.json"), Some(Format::Json));
        assert_eq!(of("import.YML"), Some(Format::Yaml));
        assert_eq!(of("import.yaml"), Some(Format::Yaml));
        assert_eq!(of("import.toml"), None);
        assert_eq!(of("json"), None);
    }
}
