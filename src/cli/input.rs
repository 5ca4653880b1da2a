//! What comes from outside: definitions and inputs, both bounded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::exit::Exit;
use super::fault::Fault;
use crate::language::{Format, Json};

/// The largest input, in bytes.
const MAX_INPUT: u64 = 8 * 1024 * 1024;
/// The largest definition, in bytes.
const MAX_DEFINITION: u64 = 1024 * 1024;

/// A definition as it stands in its file.
pub(super) struct DefinitionFile {
    /// The text.
    pub(super) text: String,
    /// How it is spelled.
    pub(super) format: Format,
    /// The name under which it is deployed: the file's, without its endings.
    pub(super) name: String,
}

/// Reads a definition.
pub(super) fn definition(path: &Path) -> Result<DefinitionFile, Box<Fault>> {
    let format = Format::of_path(path).ok_or_else(|| {
        Fault::new(
            "UNKNOWN_FORMAT",
            Exit::Usage,
            format!("{} is no definition by its name", path.display()),
        )
        .why("a definition is JSON or YAML")
        .hint("give it a name that ends with .json, .yaml or .yml")
    })?;
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let text = bounded(file, MAX_DEFINITION, &path.display().to_string())?;
    Ok(DefinitionFile { text, format, name: name_of(path) })
}

/// `import` for `import.yaml`, `import.json` and `import.asl.json`.
pub(super) fn name_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let name = stem.strip_suffix(".asl").unwrap_or(&stem);
    name.chars().map(|c| if c.is_whitespace() { '-' } else { c }).collect()
}

/// Reads an input: JSON text, `@file`, or `-` for stdin.
pub(super) fn json(argument: &str) -> Result<Json, Box<Fault>> {
    let (text, from) = match argument {
        "-" => (bounded(io::stdin().lock(), MAX_INPUT, "stdin")?, "stdin"),
        argument => match argument.strip_prefix('@') {
            Some(path) => {
                let file = File::open(path).map_err(|error| unreadable(Path::new(path), &error))?;
                (bounded(file, MAX_INPUT, path)?, path)
            }
            None => (argument.to_owned(), "--input"),
        },
    };
    Json::parse(&text).map_err(|error| {
        Fault::new("INPUT_NOT_JSON", Exit::Usage, format!("{from} is not JSON: {error}"))
            .why("an execution's input is one JSON document")
            .hint(r#"--input '{"key": "value"}', --input @file.json, or --input - for stdin"#)
    })
}

fn bounded(from: impl Read, most: u64, name: &str) -> Result<String, Box<Fault>> {
    let mut bytes = Vec::new();
    from.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(Path::new(name), &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        let message = format!("{name} is larger than {} MiB", most / (1024 * 1024));
        return Err(Fault::new("FILE_TOO_LARGE", Exit::Other, message)
            .why("what is read from outside has a limit")
            .hint("put large data into a file of its own, and pass its name"));
    }
    String::from_utf8(bytes).map_err(|_| {
        Fault::new("FILE_NOT_TEXT", Exit::Other, format!("{name} is not UTF-8 text"))
            .hint("save it as UTF-8")
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Box<Fault> {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Other,
    };
    Fault::new("FILE_UNREADABLE", exit, format!("{} cannot be read", path.display()))
        .why(error.to_string())
        .hint("check the path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_called_as_its_file() {
        assert_eq!(name_of(Path::new("a/import.yaml")), "import");
        assert_eq!(name_of(Path::new("import.asl.json")), "import");
        assert_eq!(name_of(Path::new("my flow.json")), "my-flow");
    }

    #[test]
    fn an_input_over_the_limit_is_refused() {
        let fault = bounded(io::repeat(b'1'), 1024, "x").unwrap_err();
        assert_eq!(fault.code, "FILE_TOO_LARGE");
        assert_eq!(json("{").unwrap_err().exit, Exit::Usage);
    }
}
