//! The bodies of the fuzz targets in `fuzz/`: bytes from anywhere go in, and what must hold for all
//! of them is asserted. `tests/it/fuzz_bodies.rs` and `examples/fuzz.rs` run them too, without a
//! fuzzer.
//!
//! A body for what only its module can read stands in that module, in a file `fuzz.rs`.

mod language;
mod names;
mod run;
mod stored;
mod workflow;

pub use self::language::{
    command_sequence, cut_items, decode_record, intrinsic_call, json_path, jsonata_template,
    parse_definition, reference_path,
};
pub use self::names::names;
pub(crate) use self::run::taken;
pub use self::run::{Ran, Saved, mutation, run, saved_inputs};
pub use self::stored::stored_values;
pub use self::workflow::accepted_workflow;
#[cfg(feature = "cli")]
pub use crate::cli::fuzz::log_lines;
pub use crate::config::fuzz::configuration;
#[cfg(feature = "server")]
pub use crate::server::fuzz::{control_lines, rest_request, signatures, token_file, wire_request};
pub use crate::worker::command::fuzz::worker_output;
#[cfg(feature = "remote")]
pub use crate::worker::remote::fuzz::server_answers;

/// A body, by its name.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// The name of its function, of its target in `fuzz/` and of the folder of its inputs.
    pub name: &'static str,
    /// Panics when something does not hold that must.
    pub run: fn(&[u8]),
}

/// Every body that the features of this build have.
pub const BODIES: &[Body] = &[
    Body { name: "decode_record", run: decode_record },
    Body { name: "parse_definition", run: parse_definition },
    Body { name: "accepted_workflow", run: accepted_workflow },
    Body { name: "command_sequence", run: command_sequence },
    Body { name: "cut_items", run: cut_items },
    Body { name: "json_path", run: json_path },
    Body { name: "intrinsic_call", run: intrinsic_call },
    Body { name: "jsonata_template", run: jsonata_template },
    Body { name: "reference_path", run: reference_path },
    Body { name: "stored_values", run: stored_values },
    Body { name: "names", run: names },
    Body { name: "configuration", run: configuration },
    Body { name: "worker_output", run: worker_output },
    #[cfg(feature = "remote")]
    Body { name: "server_answers", run: server_answers },
    #[cfg(feature = "server")]
    Body { name: "control_lines", run: control_lines },
    #[cfg(feature = "server")]
    Body { name: "rest_request", run: rest_request },
    #[cfg(feature = "server")]
    Body { name: "signatures", run: signatures },
    #[cfg(feature = "server")]
    Body { name: "token_file", run: token_file },
    #[cfg(feature = "server")]
    Body { name: "wire_request", run: wire_request },
    #[cfg(feature = "cli")]
    Body { name: "log_lines", run: log_lines },
];

/// Text is written and read again as the same: `read` gives what `write` wrote.
pub(crate) fn assert_reads_back<T: PartialEq + std::fmt::Debug>(
    value: &T,
    write: impl Fn(&T) -> String,
    read: impl Fn(&str) -> Option<T>,
) {
    taken();
    let written = write(value);
    assert_eq!(read(&written).as_ref(), Some(value), "{written:?} does not read back");
}

/// The first line of an input, and the rest; all of it where there is one line only.
#[cfg(feature = "server")]
pub(crate) fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}
