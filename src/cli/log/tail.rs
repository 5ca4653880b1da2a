//! `everstep log tail`: the newest events of the whole log.

use std::time::Duration;

use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::signals::Signals;
use super::super::source::Source;
use super::super::ui::{Output, Role};
use super::super::{Context, data};
use super::line::execution_of;
use crate::store::{Check, Record};
use crate::view::{Following, counted};

/// How often a running engine is asked for more.
const LOOK: Duration = Duration::from_millis(250);
/// Events read at once.
const READ: usize = 512;

#[derive(clap::Args)]
pub(in super::super) struct LogTailArgs {
    /// How many of the newest events
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: u64,
    /// Go on as events come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

pub(super) async fn run(context: &Context, arguments: &LogTailArgs) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    let source = Source::open(&folder, Check::Tail).await?;
    let last = source.last_position().await?;
    let mut tail = Tail {
        context,
        next: last.saturating_sub(arguments.lines).saturating_add(1),
        following: Following::up_to(usize::MAX),
    };
    if !arguments.follow {
        tail.print(&source, last).await?;
        return Ok(Exit::Done);
    }
    if !matches!(source, Source::Live(_)) {
        tail.print(&source, last).await?;
        context.ui.say("no engine runs on this folder, so nothing more will come");
        return Ok(Exit::Done);
    }
    let mut signals = Signals::listen()?;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = signals.next() => return Ok(Exit::Interrupted),
            _ = looks.tick() => {}
        }
        let last = source.last_position().await?;
        tail.print(&source, last).await?;
    }
}

struct Tail<'c> {
    context: &'c Context,
    next: u64,
    following: Following,
}

impl Tail<'_> {
    /// Prints all events up to `last` that were not printed yet.
    async fn print(&mut self, source: &Source, last: u64) -> Result<(), Box<Fault>> {
        while self.next <= last {
            let records = source.log(self.next, READ).await?;
            let Some(newest) = records.last() else { return Ok(()) };
            let expected = self.next;
            self.next = newest.position.saturating_add(1);
            // Only a stream of lines can be printed before its end is known.
            if self.context.ui.is_json() {
                let documents: Vec<_> =
                    records.iter().map(|record| self.document(record)).collect();
                let lines = documents.iter().map(|line| format!("{line}\n")).collect::<String>();
                self.context.ui.print(&lines)?;
            } else {
                let (mut lines, mut expected) = (String::new(), expected);
                for record in &records {
                    lines.push_str(&self.gap(expected, record.position));
                    lines.push_str(&self.line(record));
                    expected = record.position.saturating_add(1);
                }
                self.context.ui.print(&lines)?;
            }
        }
        Ok(())
    }

    fn document(&mut self, record: &Record) -> String {
        serde_json::to_string(&self.following.document(record)).unwrap_or_default()
    }

    fn line(&mut self, record: &Record) -> String {
        let told = self.following.tell(record);
        let ui = &self.context.ui;
        let id = execution_of(record);
        let (position, time, event) = (record.position, record.time, record.event.name());
        let step = told.step.unwrap_or_default();
        if ui.output == Output::Plain {
            return format!("{position}\t{time}\t{id}\t{event}\t{step}\t{}\n", told.sentence);
        }
        let step = if step.is_empty() { step } else { format!("{step}: ") };
        let time = ui.paint(Role::Faint, &time.to_string());
        format!("{position:>6}  {time}  {id:<6}  {event:<18}  {step}{}\n", told.sentence)
    }

    /// Says that events are not there any more, for people.
    fn gap(&self, from: u64, to: u64) -> String {
        let ui = &self.context.ui;
        match to.saturating_sub(from) {
            0 => String::new(),
            _ if ui.output == Output::Plain => String::new(),
            count => {
                let words = format!("        {} of deleted executions", counted(count, "event"));
                format!("{}\n", ui.paint(Role::Faint, &words))
            }
        }
    }
}
