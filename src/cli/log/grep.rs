//! `everstep log grep`: events in which some words stand.

use std::collections::VecDeque;

use regex::{Regex, RegexBuilder};
use serde::Serialize;

use super::super::Context;
use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::moment::since;
use super::super::source::SourceArgs;
use super::super::ui::{Cell, Role, Table};
use super::line::{execution_of, role};
use super::pages::Pages;
use crate::engine::Timestamp;
use crate::store::Record;
use crate::view::{EventDocument, Following, Told};

#[derive(clap::Args)]
pub(in super::super) struct LogGrepArgs {
    /// What to look for: any part of an event's name, of its sentence, of its state's name or of its
    /// data as JSON, whatever the case
    pattern: String,
    /// The pattern is a regular expression, as `5\d\d`
    #[arg(short = 'E', long)]
    regex: bool,
    /// Only events of these names, as JobFailed
    #[arg(long = "type", value_delimiter = ',', value_name = "EVENT")]
    types: Vec<String>,
    /// Only events of this execution: its id, a beginning of its handle, or @ for the newest
    #[arg(long, value_name = "ID")]
    execution: Option<String>,
    /// Only events since then: a time as 2026-11-23T15:06:32Z, or how long ago, as 90s, 30m, 2h, 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Print so many events around each that is found, too
    #[arg(short = 'C', long, value_name = "COUNT", default_value_t = 0)]
    context: usize,
    /// Find at most this many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1000)]
    max: usize,
    #[command(flatten)]
    source: SourceArgs,
}

/// An event that was found, or that stands around one.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    event: EventDocument,
    is_match: bool,
}

pub(super) async fn run(context: &Context, arguments: &LogGrepArgs) -> Outcome {
    let since = arguments.since.as_deref().map(since).transpose()?;
    let pattern = Pattern::of(arguments)?;
    let source = arguments.source.open(context).await?;
    let mut search = Search::new(context, arguments, pattern, since);
    match &arguments.execution {
        Some(id) => {
            let history = source.history(source.find(id).await?).await?;
            history.iter().for_each(|record| search.take(record));
        }
        None => {
            let mut pages = Pages::of(&source, 1, None).await?;
            while let Some(records) = pages.next().await? {
                records.iter().for_each(|record| search.take(record));
                if search.is_done() {
                    break;
                }
            }
        }
    }
    search.print()
}

/// What is looked for, whatever the case.
enum Pattern {
    /// In small letters.
    Text(String),
    Regex(Regex),
}

impl Pattern {
    fn of(arguments: &LogGrepArgs) -> Result<Self, Box<Fault>> {
        let pattern = &arguments.pattern;
        if !arguments.regex {
            return Ok(Self::Text(pattern.to_lowercase()));
        }
        let regex = RegexBuilder::new(pattern).case_insensitive(true).build();
        regex.map(Self::Regex).map_err(|error| {
            let message = format!("{pattern:?} is no regular expression");
            let why = error.to_string();
            Fault::new("BAD_PATTERN", Exit::Usage, message)
                .why(why.lines().last().unwrap_or_default())
                .hint("leave --regex out to look for the text itself")
        })
    }

    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => text.to_lowercase().contains(wanted),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// What has been seen and found so far.
struct Search<'c> {
    context: &'c Context,
    arguments: &'c LogGrepArgs,
    pattern: Pattern,
    since: Option<Timestamp>,
    following: Following,
    /// The events before, which are printed if the next one is found.
    before: VecDeque<(Record, Told)>,
    /// How many events are still to be printed after one that was found.
    after: usize,
    found: usize,
    lines: Vec<(Record, Told, bool)>,
}

impl<'c> Search<'c> {
    fn new(
        context: &'c Context,
        arguments: &'c LogGrepArgs,
        pattern: Pattern,
        since: Option<Timestamp>,
    ) -> Self {
        Self {
            context,
            arguments,
            pattern,
            since,
            following: Following::up_to(usize::MAX),
            before: VecDeque::new(),
            after: 0,
            found: 0,
            lines: Vec::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.found > self.arguments.max
    }

    fn take(&mut self, record: &Record) {
        if self.is_done() {
            return;
        }
        let told = self.following.tell(record);
        if self.has(record, &told) {
            self.found += 1;
            if self.is_done() {
                return;
            }
            let before = self.before.drain(..).map(|(record, told)| (record, told, false));
            self.lines.extend(before);
            self.lines.push((record.clone(), told, true));
            self.after = self.arguments.context;
        } else if self.after > 0 {
            self.after -= 1;
            self.lines.push((record.clone(), told, false));
        } else if self.arguments.context > 0 {
            self.before.push_back((record.clone(), told));
            if self.before.len() > self.arguments.context {
                self.before.pop_front();
            }
        }
    }

    fn has(&self, record: &Record, told: &Told) -> bool {
        let name = record.event.name();
        let types = &self.arguments.types;
        if self.since.is_some_and(|since| record.time < since)
            || !(types.is_empty() || types.iter().any(|wanted| wanted == name))
        {
            return false;
        }
        told.shows(record, |text| self.pattern.is_in(text))
    }

    fn print(self) -> Outcome {
        let ui = &self.context.ui;
        let (is_cut, max) = (self.is_done(), self.arguments.max);
        if ui.is_json() {
            let found = self.lines.into_iter().map(|(record, told, is_match)| Found {
                event: EventDocument::of(&record, told),
                is_match,
            });
            ui.items("everstep.events/v1", &found.collect::<Vec<_>>())?;
        } else {
            ui.print(&table(self.lines).text(ui))?;
        }
        if is_cut {
            ui.say(&format!("there are more than {max}; find more with -n"));
        } else if self.found == 0 {
            ui.say("no event fits");
        }
        Ok(Exit::Done)
    }
}

fn table(lines: Vec<(Record, Told, bool)>) -> Table {
    if lines.is_empty() {
        return Table::bare(0);
    }
    let mut table = Table::new(&["EXECUTION", "SEQ", "TIME", "EVENT", "STEP", "DETAIL"]);
    for (record, told, is_match) in lines {
        let id = execution_of(&record);
        let role = if is_match { role(&record) } else { Role::Faint };
        table.row(vec![
            Cell::new(id),
            Cell::new(format!("{:>4}", record.sequence)),
            Cell::painted(Role::Faint, record.time.to_string()),
            Cell::painted(role, record.event.name()),
            Cell::new(told.step.unwrap_or_default()),
            Cell::new(told.sentence),
        ]);
    }
    table
}
