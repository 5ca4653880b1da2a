//! The `everstep` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    everstep::cli::main(std::env::args_os()).into()
}
