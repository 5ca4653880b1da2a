//! Loads, draws, exports and runs every definition below some folders.
//!
//! `cargo run --all-features --example check_definitions -- FOLDER... [-v]`
//!
//! For each `.json`, `.yaml` and `.yml` that holds a definition:
//!
//! 1. **load**: placeholders are filled in (see `load.rs`), then it is read and validated;
//! 2. **draw**: as text, Mermaid and DOT, none of them empty;
//! 3. **export**: its canonical text is the same tree and has the same hash, and what is exported
//!    for AWS is a definition again, of which AWS would refuse nothing;
//! 4. **run**: from several seeds in the pure engine, with made-up inputs and results (see
//!    `wish.rs`) and a clock that jumps, all invariants held after every command (see `run.rs`).
//!
//! It prints a line for each file that is not fully fine, and totals. It ends with 1 when something
//! broke that must hold: a picture, an export, an invariant, or an execution that waits for nothing.
#![expect(clippy::print_stdout, reason = "it prints a report")]

mod load;
mod run;
mod wish;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use everstep::language::{self, Format, Workflow, aws, graph};
use serde_json::Value;

use load::Text;
use run::Ending;

type Failure = Box<dyn std::error::Error>;

/// How often each definition is run; the best ending counts. Some of the runs are rough: jobs fail.
const SEEDS: u64 = 12;

#[derive(Default)]
struct Totals {
    no_definition: usize,
    definitions: usize,
    loaded: usize,
    drawn: usize,
    exported: usize,
    completed: usize,
    own_failure: usize,
    unfit_data: usize,
    unended: usize,
    broken: usize,
}

fn main() -> Result<ExitCode, Failure> {
    let (flags, folders): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if folders.is_empty() {
        return Err("usage: check_definitions FOLDER... [-v]".into());
    }
    let verbose = flags.iter().any(|flag| flag == "-v");
    let mut files = Vec::new();
    for folder in &folders {
        gather(Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut totals = Totals::default();
    for file in &files {
        let texts = load::texts(file)?;
        if texts.is_empty() {
            totals.no_definition += 1;
        }
        for text in texts {
            for line in totals.check(&text) {
                println!("{}: {line}", file.display());
            }
            if verbose {
                println!("{}: done", file.display());
            }
        }
    }
    totals.print();
    Ok(if totals.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            gather(&entry?.path(), files)?;
        }
        return Ok(());
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if matches!(extension.as_str(), "json" | "yaml" | "yml") {
        files.push(path.to_owned());
    }
    Ok(())
}

impl Totals {
    /// Checks one definition. Gives what is not fine.
    fn check(&mut self, text: &Text) -> Vec<String> {
        let mut lines = Vec::new();
        self.definitions += 1;
        let options = language::Options::default();
        let workflow = match language::parse(&text.text, text.format, &options) {
            Ok(workflow) => workflow,
            Err(faults) => {
                let errors: Vec<String> = faults
                    .iter()
                    .filter(|fault| fault.severity == language::Severity::Error)
                    .map(|fault| format!("{} {} ({})", fault.code, fault.message, fault.pointer))
                    .collect();
                let first = errors.first().cloned().unwrap_or_default();
                return vec![format!("load: {} errors: {first}", errors.len())];
            }
        };
        self.loaded += 1;
        match draw(&workflow) {
            Ok(()) => self.drawn += 1,
            Err(why) => lines.push(self.broke(format!("draw: {why}"))),
        }
        match export(text, &workflow) {
            Ok(()) => self.exported += 1,
            Err(why) => lines.push(self.broke(format!("export: {why}"))),
        }
        let mut endings: Vec<Ending> = Vec::new();
        for seed in 0..SEEDS {
            // Once it has completed, only runs whose jobs fail can show something new.
            if run::is_rough(seed) || !endings.contains(&Ending::Completed) {
                endings.push(run::run(&workflow, seed));
            }
        }
        for ending in &endings {
            if let Ending::Broken(why) = ending {
                lines.push(self.broke(format!("run: {why}")));
                break;
            }
        }
        lines.extend(self.count(&endings));
        lines
    }

    fn broke(&mut self, line: String) -> String {
        self.broken += 1;
        line
    }

    /// Counts the best of several endings, and tells it when it is not a good one.
    fn count(&mut self, endings: &[Ending]) -> Option<String> {
        let find = |fits: fn(&Ending) -> bool| endings.iter().find(|ending| fits(ending));
        let best = find(|ending| matches!(ending, Ending::Completed))
            .or_else(|| find(|ending| matches!(ending, Ending::Broken(_))))
            .or_else(|| find(|ending| matches!(ending, Ending::OwnFailure(_))))
            .or_else(|| find(|ending| matches!(ending, Ending::UnfitData(_))))
            .or_else(|| endings.first())?;
        match best {
            Ending::Completed => self.completed += 1,
            Ending::OwnFailure(why) => {
                self.own_failure += 1;
                return Some(format!("run: never completes; ends with its own Fail: {why}"));
            }
            Ending::UnfitData(why) => {
                self.unfit_data += 1;
                return Some(format!("run: the made-up data does not fit: {why}"));
            }
            Ending::Unended(why) => {
                self.unended += 1;
                return Some(format!("run: does not end: {why}"));
            }
            Ending::Broken(_) | Ending::MadeUpFailure => {}
        }
        None
    }

    fn print(&self) {
        println!("\n{:>5} files without a definition", self.no_definition);
        println!("{:>5} definitions", self.definitions);
        println!("{:>5} loaded", self.loaded);
        println!("{:>5} drawn", self.drawn);
        println!("{:>5} exported", self.exported);
        println!("{:>5} run to completion", self.completed);
        println!("{:>5} run to their own Fail", self.own_failure);
        println!("{:>5} failed as the made-up data does not fit", self.unfit_data);
        println!("{:>5} did not end", self.unended);
        println!("{:>5} things broke that must hold", self.broken);
    }
}

fn draw(workflow: &Workflow) -> Result<(), String> {
    let pictures = [
        ("text", graph::text(workflow)),
        ("Mermaid", graph::mermaid(workflow)),
        ("DOT", graph::dot(workflow)),
    ];
    for (name, picture) in pictures {
        if picture.lines().filter(|line| !line.trim().is_empty()).count() < workflow.states.len() {
            return Err(format!("{name} has fewer lines than there are states"));
        }
    }
    Ok(())
}

fn export(text: &Text, workflow: &Workflow) -> Result<(), String> {
    let options = language::Options::default();
    let source = workflow.source.value();
    if text.format == Format::Json {
        let original: Value = serde_json::from_str(text.text.trim_start_matches('\u{feff}'))
            .map_err(|error| error.to_string())?;
        if original != source {
            return Err("the canonical text is another tree".to_owned());
        }
    }
    let again = language::parse(workflow.source.as_str(), Format::Json, &options)
        .map_err(|faults| format!("the canonical text is refused: {faults:?}"))?;
    if again.hash != workflow.hash {
        return Err("the canonical text has another hash".to_owned());
    }
    let exported = aws::export(workflow, &aws::Account::default()).definition.to_string();
    let checked = language::check(&exported, Format::Json, &options);
    if checked.workflow.is_none() {
        // What AWS has and we have not is refused when it is read again; that is no fault of the
        // export. All else is.
        let refused = |code: &str| code == "E_NOT_SUPPORTED" || code == "E_RESOURCE";
        let other = checked
            .diagnostics
            .iter()
            .find(|fault| fault.severity == language::Severity::Error && !refused(fault.code));
        return other.map_or(Ok(()), |fault| Err(format!("for AWS: {}", fault.message)));
    }
    // Expressions that AWS cannot read are left to people.
    let left = aws::check(&exported, Format::Json, &options);
    match left.iter().find(|fault| fault.code != "E_AWS_JSONATA") {
        Some(fault) => Err(format!("AWS would refuse: {} ({})", fault.message, fault.pointer)),
        None => Ok(()),
    }
}
