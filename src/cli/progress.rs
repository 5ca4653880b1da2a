//! An execution while it runs: a bar on a terminal, else a line for each change. `run`, `start --wait`
//! and `watch` show it so.

use std::collections::HashMap;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::fault::Fault;
use super::ui::{Mark, Role, Ui};
use crate::engine::Timestamp;
use crate::view::{Card, JobCard, StepCard, WaitingFor, duration, one_line, pace};

/// The longest text of a worker that is shown, in characters.
const MESSAGE: usize = 80;

/// Bars of jobs under the bar of their execution, at most.
const JOBS: usize = 4;

/// Shows an execution as it changes.
pub(super) struct Progress<'u> {
    ui: &'u Ui,
    place: Place<'u>,
    /// What stands before everything that is said of it, where several are shown.
    title: String,
    bar: Option<ProgressBar>,
    /// The jobs at work, under the bar.
    jobs: Vec<ProgressBar>,
    /// How each step was seen to end: its status and its attempts; nothing while it goes on.
    ended: HashMap<Arc<str>, Option<End>>,
    last: (u8, String),
}

/// Where it is shown.
#[derive(Clone, Copy)]
pub(super) enum Place<'u> {
    /// On stderr, as talk.
    Talk,
    /// On stdout, as data; drawn on these bars where that can be.
    Data(Option<&'u MultiProgress>),
}

type End = (&'static str, u32);

/// How a step ended, or that it was skipped, with a reason.
fn end_of(step: &StepCard) -> Option<End> {
    let is_skipped = step.status == "skipped" && step.message.is_some();
    (step.ended_at.is_some() || is_skipped).then_some((step.status, step.attempts))
}

impl<'u> Progress<'u> {
    /// One execution on stderr.
    pub(super) fn new(ui: &'u Ui) -> Self {
        Self::at(ui, Place::Talk, String::new())
    }

    /// An execution called `title`, at a place.
    pub(super) fn at(ui: &'u Ui, place: Place<'u>, title: String) -> Self {
        let bars = match place {
            Place::Talk => Some(&ui.bars).filter(|_| ui.can_draw),
            Place::Data(bars) => bars,
        };
        let bar = bars.map(|bars| {
            let bar = bars.add(ProgressBar::new(100));
            bar.set_style(style(ui, place));
            bar.set_prefix(title.clone());
            bar.enable_steady_tick(std::time::Duration::from_millis(250));
            bar
        });
        let (ended, last) = (HashMap::new(), (0, String::new()));
        Self { ui, place, title, bar, jobs: Vec::new(), ended, last }
    }

    /// Takes the steps that `card` knows as ended for told.
    pub(super) fn skip_past(&mut self, card: &Card) {
        for step in &card.steps {
            self.ended.insert(step.name.clone(), end_of(step));
        }
    }

    /// Shows the execution as it is now.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(super) fn show(&mut self, card: &Card, now: Timestamp) -> Result<(), Box<Fault>> {
        for step in &card.steps {
            let end = end_of(step);
            let told = self.ended.insert(step.name.clone(), end).flatten();
            if end.is_some() && told != end {
                let line = step_line(self.ui, self.place, step);
                self.line(&format!("{}{line}", self.titled()))?;
            }
        }
        let line = now_line(card);
        match &self.bar {
            Some(bar) => {
                bar.set_position(card.progress.into());
                let left = pace(None, card.seconds_left);
                bar.set_message(if left.is_empty() { line } else { format!("{left}  {line}") });
                self.draw_jobs(card);
            }
            None if self.last != (card.progress, line.clone()) => {
                let time = now.to_string();
                let time = time.get(11..19).unwrap_or_default();
                let left = pace(None, card.seconds_left);
                let left = if left.is_empty() { left } else { format!("  {left}") };
                let title = self.titled();
                self.line(&format!("{time}  {title}{:>3}%  {line}{left}", card.progress))?;
                self.last = (card.progress, line);
            }
            None => {}
        }
        Ok(())
    }

    /// Says a line of its own, above what is drawn.
    pub(super) fn line(&self, line: &str) -> Result<(), Box<Fault>> {
        match (self.place, &self.bar) {
            (Place::Talk, _) => self.ui.say(line),
            (Place::Data(Some(bars)), _) => drop(bars.println(line)),
            (Place::Data(None), _) => self.ui.print(&format!("{line}\n"))?,
        }
        Ok(())
    }

    fn titled(&self) -> String {
        if self.title.is_empty() { String::new() } else { format!("{}  ", self.title) }
    }

    fn draw_jobs(&mut self, card: &Card) {
        let (Place::Data(Some(bars)), Some(bar)) = (self.place, &self.bar) else { return };
        let open = card.active_sub_jobs.iter().filter(|job| job.status != "pending");
        let open: Vec<String> = open.take(JOBS).map(|job| job_line(self.ui, job)).collect();
        while self.jobs.len() > open.len() {
            if let Some(job) = self.jobs.pop() {
                bars.remove(&job);
            }
        }
        while self.jobs.len() < open.len() {
            let after = self.jobs.last().unwrap_or(bar);
            let job = bars.insert_after(after, ProgressBar::new(1));
            job.set_style(plain_style());
            self.jobs.push(job);
        }
        for (job, line) in self.jobs.iter().zip(open) {
            job.set_message(line);
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        for bar in self.jobs.iter().chain(&self.bar) {
            bar.finish_and_clear();
        }
    }
}

fn style(ui: &Ui, place: Place<'_>) -> ProgressStyle {
    let color = match place {
        Place::Talk => ui.err_color,
        Place::Data(_) => ui.out_color,
    };
    let template = match (place, color) {
        (Place::Talk, true) => "{bar:24.blue} {percent:>3}%  {wide_msg}",
        (Place::Talk, false) => "{bar:24} {percent:>3}%  {wide_msg}",
        (Place::Data(_), true) => "{prefix:.bold}  {bar:24.blue} {percent:>3}%  {wide_msg}",
        (Place::Data(_), false) => "{prefix}  {bar:24} {percent:>3}%  {wide_msg}",
    };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars(if ui.is_ascii { "=> " } else { "█▉▊▋▌▍▎▏ " })
}

/// A line that is cut where the terminal ends.
fn plain_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{wide_msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A job that is open, in one line.
fn job_line(ui: &Ui, job: &JobCard) -> String {
    let mark = Mark::of(job.status);
    let number = job.id.rsplit(':').next().unwrap_or_default();
    let words = job.message.as_deref().map(|message| one_line(message, MESSAGE));
    let words = words.unwrap_or_default();
    let job_type = one_line(&job.job_type, 40);
    let line =
        format!("    {} job {number} {job_type}  {}  {words}", mark.glyph(ui), job_numbers(job));
    line.trim_end().to_owned()
}

/// How far a job is, how fast it goes and how long it takes: `45%  645 / 1204 scenes  12.4/s · ~45s left`.
pub(super) fn job_numbers(job: &JobCard) -> String {
    let mut numbers = format!("{}%", job.progress);
    if let Some(counted) = &job.counted {
        numbers.push_str(&format!("  {}", one_line(counted, 120)));
    }
    let pace = pace(job.rate_per_second, job.seconds_left);
    if !pace.is_empty() {
        numbers.push_str(&format!("  {pace}"));
    }
    numbers
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
fn step_line(ui: &Ui, place: Place<'_>, step: &StepCard) -> String {
    let mark = Mark::of(step.status);
    let took = duration(ms(step.duration_seconds.unwrap_or(0.0)));
    let glyph = match place {
        Place::Talk => ui.paint_talk(mark.role, mark.glyph(ui)),
        Place::Data(_) => ui.paint(mark.role, mark.glyph(ui)),
    };
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
