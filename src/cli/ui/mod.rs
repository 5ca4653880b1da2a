//! How the program talks: data to stdout, talk to stderr.

mod mark;
mod style;
mod table;

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

pub(super) use mark::Mark;
pub(super) use style::{ColorChoice, Role};
pub(super) use table::{Cell, Table};

use super::fault::Fault;
use super::wait::now;
use crate::telemetry::LogFormat;

/// The form of what is printed to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// For cut and awk: no heading, columns separated by tabs, no colour.
    Plain,
    /// One JSON document.
    Json,
    /// One JSON document on each line.
    Jsonl,
}

/// Where and how to talk.
pub(super) struct Ui {
    pub(super) output: Output,
    /// Whether only errors are said.
    pub(super) is_quiet: bool,
    /// How log lines are written; what is said beside them is written alike.
    log_format: LogFormat,
    /// Whether only ASCII is used for marks and bars.
    pub(super) is_ascii: bool,
    /// Whether stdout has colours.
    pub(super) out_color: bool,
    /// Whether stderr has colours.
    pub(super) err_color: bool,
    /// Whether stdout can be drawn on.
    pub(super) can_draw_out: bool,
    /// Whether stderr can be drawn on.
    pub(super) can_draw: bool,
    /// What is drawn on stderr; other talk must go around it.
    pub(super) bars: MultiProgress,
}

/// What the command line says about talking.
pub(super) struct Wishes {
    pub(super) output: Output,
    pub(super) color: ColorChoice,
    pub(super) is_ascii: bool,
    pub(super) is_quiet: bool,
    pub(super) log_format: LogFormat,
}

/// What is said, in the form of a log line.
#[derive(Serialize)]
struct Line<T> {
    timestamp: String,
    level: &'static str,
    target: &'static str,
    #[serde(flatten)]
    said: T,
}

fn line<T: Serialize>(level: &'static str, said: T) -> String {
    json(&Line { timestamp: now().to_string(), level, target: "everstep", said }, false) + "\n"
}

#[derive(Serialize)]
struct Document<'d, T> {
    schema: &'d str,
    #[serde(flatten)]
    body: &'d T,
}

/// A document that holds many things of a kind.
#[derive(Serialize)]
pub(super) struct Items<'i, T, C> {
    pub(super) items: &'i [T],
    pub(super) next_cursor: Option<String>,
    /// How many there are, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) totals: Option<&'i C>,
}

impl Ui {
    pub(super) fn new(wishes: &Wishes) -> Self {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let is_dumb = style::is_dumb();
        let can_draw = err && !is_dumb && !wishes.is_quiet;
        let bars = MultiProgress::new();
        if !can_draw {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self {
            output: wishes.output,
            is_quiet: wishes.is_quiet,
            log_format: wishes.log_format,
            is_ascii: wishes.is_ascii || !style::speaks_utf8(),
            out_color: style::wants_color(wishes.color, out) && wishes.output == Output::Table,
            err_color: style::wants_color(wishes.color, err),
            can_draw_out: out && !is_dumb && wishes.output == Output::Table,
            can_draw,
            bars,
        }
    }

    /// Whether stdout gets JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.output, Output::Json | Output::Jsonl)
    }

    /// Prints data.
    ///
    /// # Errors
    /// Nobody reads it, or it cannot be written.
    pub(super) fn print(&self, text: &str) -> Result<(), Box<Fault>> {
        let write = || {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        };
        self.bars.suspend(write).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Fault::closed_pipe(),
            _ => {
                let exit = super::exit::Exit::Other;
                Fault::new("OUTPUT_FAILED", exit, "the output cannot be written")
                    .why(error.to_string())
            }
        })
    }

    /// Prints one JSON document: indented for people who look at it, else on one line.
    pub(super) fn document<T: Serialize>(&self, schema: &str, body: &T) -> Result<(), Box<Fault>> {
        let is_pretty = self.output != Output::Jsonl && io::stdout().is_terminal();
        let document = Document { schema, body };
        self.print(&(json(&document, is_pretty) + "\n"))
    }

    /// Prints many things as JSON: as one document, or each on its line.
    pub(super) fn items<T: Serialize>(&self, schema: &str, items: &[T]) -> Result<(), Box<Fault>> {
        self.counted_items(schema, items, None::<&()>)
    }

    /// The same, with how many there are; lines have no place for that.
    pub(super) fn counted_items<T: Serialize, C: Serialize>(
        &self,
        schema: &str,
        items: &[T],
        totals: Option<&C>,
    ) -> Result<(), Box<Fault>> {
        if self.output == Output::Json {
            return self.document(schema, &Items { items, next_cursor: None, totals });
        }
        let lines: String = items.iter().map(|item| json(item, false) + "\n").collect();
        self.print(&lines)
    }

    /// Says something to people, unless they want quiet.
    pub(super) fn say(&self, text: &str) {
        if self.is_quiet {
            return;
        }
        self.tell(&match self.log_format {
            LogFormat::Text => format!("{text}\n"),
            LogFormat::Json => line("INFO", serde_json::json!({"message": text.trim()})),
        });
    }

    /// Says what went wrong.
    pub(super) fn complain(&self, fault: &Fault) {
        if fault.is_silent() {
            return;
        }
        if self.is_json() {
            self.tell(&(json(fault, false) + "\n"));
            return;
        }
        if self.log_format == LogFormat::Json {
            self.tell(&line("ERROR", fault));
            return;
        }
        let lines = fault.lines();
        let painted = lines.strip_prefix("error:").filter(|_| self.err_color);
        let painted = painted.map(|rest| format!("{}{rest}", Role::Bad.paint("error:")));
        self.tell(&painted.unwrap_or(lines));
    }

    /// Words with a colour for stdout.
    pub(super) fn paint(&self, role: Role, text: &str) -> String {
        if self.out_color { role.paint(text) } else { text.to_owned() }
    }

    /// Words with a colour for stderr.
    pub(super) fn paint_talk(&self, role: Role, text: &str) -> String {
        if self.err_color { role.paint(text) } else { text.to_owned() }
    }

    fn tell(&self, text: &str) {
        // When nobody can hear it there is nobody to tell that.
        drop(self.bars.suspend(|| io::stderr().lock().write_all(text.as_bytes())));
    }
}

fn json<T: Serialize>(value: &T, is_pretty: bool) -> String {
    let text =
        if is_pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    // Everything that is printed has text keys, so this cannot fail.
    text.unwrap_or_else(|error| format!("{{\"unprintable\":{:?}}}", error.to_string()))
}

/// Lets log lines go around what is drawn.
#[derive(Clone)]
pub(super) struct BesideBars(pub(super) MultiProgress);

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}
