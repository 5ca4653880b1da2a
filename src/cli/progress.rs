//! An execution while it runs: a bar on a terminal, else a line for each change.

use std::collections::HashMap;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::ui::{Mark, Role, Ui};
use crate::engine::Timestamp;
use crate::view::{Card, StepCard, WaitingFor, duration, one_line};

/// The longest text of a worker that is shown, in characters.
const MESSAGE: usize = 80;

/// Shows an execution on stderr as it changes.
pub(super) struct Progress<'u> {
    ui: &'u Ui,
    bar: Option<ProgressBar>,
    /// How each step was seen to end: its status and its attempts; nothing while it goes on.
    ended: HashMap<Arc<str>, Option<End>>,
    last: String,
}

type End = (&'static str, u32);

/// How a step ended, or that it was skipped, with a reason.
fn end_of(step: &StepCard) -> Option<End> {
    let is_skipped = step.status == "skipped" && step.message.is_some();
    (step.ended_at.is_some() || is_skipped).then_some((step.status, step.attempts))
}

impl<'u> Progress<'u> {
    pub(super) fn new(ui: &'u Ui) -> Self {
        let bar = ui.can_draw.then(|| {
            let bar = ui.bars.add(ProgressBar::new(100));
            bar.set_style(style(ui));
            bar.enable_steady_tick(std::time::Duration::from_millis(250));
            bar
        });
        Self { ui, bar, ended: HashMap::new(), last: String::new() }
    }

    /// Takes the steps that `card` knows as ended for told.
    pub(super) fn skip_past(&mut self, card: &Card) {
        for step in &card.steps {
            self.ended.insert(step.name.clone(), end_of(step));
        }
    }

    /// Shows the execution as it is now.
    pub(super) fn show(&mut self, card: &Card, now: Timestamp) {
        for step in &card.steps {
            let end = end_of(step);
            let told = self.ended.insert(step.name.clone(), end).flatten();
            if end.is_some() && told != end {
                self.ui.say(&step_line(self.ui, step));
            }
        }
        let line = now_line(card);
        match &self.bar {
            Some(bar) => {
                bar.set_position(card.progress.into());
                bar.set_message(line);
            }
            None if line != self.last => {
                let time = now.to_string();
                let time = time.get(11..19).unwrap_or_default();
                self.ui.say(&format!("{time}  {:>3}%  {line}", card.progress));
                self.last = line;
            }
            None => {}
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(ui: &Ui) -> ProgressStyle {
    let template = if ui.err_color {
        "{bar:24.blue} {percent:>3}%  {wide_msg}"
    } else {
        "{bar:24} {percent:>3}%  {wide_msg}"
    };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars(if ui.is_ascii { "=> " } else { "█▉▊▋▌▍▎▏ " })
}

/// What happens at the moment, in one line.
fn now_line(card: &Card) -> String {
    let mut line = String::new();
    if let (Some(number), Some(name)) = (card.current_step, &card.step_name) {
        line = format!("step {number}/{} {}", card.total_steps, one_line(name, MESSAGE));
        let step = card.steps.iter().find(|step| step.number == number);
        if let Some(step) = step.filter(|step| step.parts > 0) {
            let done = step.parts_completed + step.parts_failed;
            line.push_str(&format!("  {done}/{} parts", step.parts));
        }
        if let Some(counted) = step.and_then(|step| step.counted.as_deref()) {
            line.push_str(&format!("  {}", one_line(counted, MESSAGE)));
        }
    }
    let mut outcomes = card.cleanup.iter().flat_map(|cleanup| &cleanup.outcomes);
    if let Some(undoing) = outcomes.find(|outcome| outcome.status == "running") {
        line.push_str(&format!("  cleaning up: {}", one_line(&undoing.state, MESSAGE)));
    } else if card.status != "running" {
        line.push_str(&format!("  {}", card.status.replace('_', " ")));
    }
    if let Some(paused) = &card.paused {
        let what = if paused.scope == "workflow" { "workflow paused" } else { "paused" };
        line.push_str(&format!("  {what} by {}", one_line(&paused.by, MESSAGE)));
    }
    if let Some(message) = waiting(card).or_else(|| message(card)) {
        line.push_str(&format!("  {message}"));
    }
    line.trim_start().to_owned()
}

/// The words of the worker that is at work, else of the step's last.
fn message(card: &Card) -> Option<String> {
    let step = card.steps.iter().find(|step| Some(step.number) == card.current_step);
    let of_job = card.active_sub_job.as_ref().and_then(|job| job.message.as_deref());
    let message = of_job.or_else(|| step.and_then(|step| step.message.as_deref()));
    message.map(|message| one_line(message, MESSAGE))
}

/// Why nothing happens; a worker that will take its job at once is not worth a word.
fn waiting(card: &Card) -> Option<String> {
    let waiting = card.waiting.as_ref()?;
    let until = waiting.until.as_deref().unwrap_or_default();
    match waiting.reason {
        WaitingFor::Place => Some("waits for a place".to_owned()),
        WaitingFor::Timer => Some(format!("waits until {until}")),
        WaitingFor::Retry => Some(format!("tries again at {until}")),
        WaitingFor::Callback => Some("waits for a callback".to_owned()),
        WaitingFor::Worker | WaitingFor::Execution => None,
    }
}

/// A step that has ended, in one line.
pub(super) fn step_line(ui: &Ui, step: &StepCard) -> String {
    let mark = Mark::of(step.status);
    let took = duration(ms(step.duration_seconds.unwrap_or(0.0)));
    let glyph = ui.paint_talk(mark.role, mark.glyph(ui));
    let word = if mark.role == Role::Good {
        String::new()
    } else {
        format!("  {}", step.status.replace('_', " "))
    };
    let title = one_line(&step.title, MESSAGE);
    let mut line = format!("  {glyph} {} {title}{word}  {took}", step.number);
    let words = match &step.error {
        Some(error) => Some(format!("{}: {}", error.error, error.cause)),
        None => step.message.as_deref().map(str::to_owned),
    };
    if let Some(words) = words {
        line.push_str(&format!("  {}", one_line(&words, MESSAGE)));
    }
    line
}

/// Seconds as whole milliseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
pub(super) fn ms(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}
