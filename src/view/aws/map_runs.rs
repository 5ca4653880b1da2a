//! Runs of distributed Maps, folded from the history of the execution that has them.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

use crate::engine::event::{ForkStarted, MapRunWish};
use crate::engine::own_jobs::WRITE_RESULTS;
use crate::engine::{Event, ExecutionId, FrameId, JobId, Program, Timestamp};
use crate::language::model::{Map, Number};
use crate::language::{StateKind, StateName};
use crate::store::Record;

/// A run of a distributed Map. A redrive of its execution goes on with it.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRun {
    /// Its id: that of the first time it opened.
    pub id: Uuid,
    /// Its id since the last redrive: that which the engine knows while it is open.
    pub current: Uuid,
    /// The Map.
    pub map: StateName,
    /// `RUNNING`, `SUCCEEDED`, `FAILED` or `ABORTED`.
    pub status: &'static str,
    /// When it opened first.
    pub started_at: Timestamp,
    /// When it ended last.
    pub ended_at: Option<Timestamp>,
    /// How many executions may run at once; 0 where the Map sets no limit of its own.
    pub concurrency: u64,
    /// How many items may fail.
    pub tolerated_count: u64,
    /// How many percent of them may.
    pub tolerated_percentage: f64,
    /// Its items.
    pub items: Counts,
    /// Its executions: one for each item or batch.
    pub executions: Counts,
    /// How often a redrive went on with it.
    pub redrives: u32,
    /// When one did last.
    pub redriven_at: Option<Timestamp>,
    /// Every execution that it has begun, with how many items it has.
    pub begun: HashMap<ExecutionId, u64>,
    batch_ends: Vec<u32>,
    children: HashMap<ExecutionId, u32>,
}

/// How many are how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Not begun.
    pub pending: u64,
    /// Under way.
    pub running: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Ran too long.
    pub timed_out: u64,
    /// Were stopped.
    pub aborted: u64,
    /// All together.
    pub total: u64,
    /// Of which the results were written.
    pub results_written: u64,
}

/// Every run of a distributed Map that the execution of `program` with this history has had, in the
/// order in which they opened.
#[must_use]
pub fn map_runs(program: &Program, history: &[Record]) -> Vec<MapRun> {
    let mut fold = Runs::new(program);
    for record in history {
        fold.at = record.time;
        fold.take(&record.event);
    }
    fold.runs
}

struct Runs<'p> {
    program: &'p Program,
    at: Timestamp,
    runs: Vec<MapRun>,
    /// In which Map frames stand.
    places: HashMap<FrameId, StateName>,
    /// The run that a frame has open, or had when the execution ended.
    open: HashMap<FrameId, usize>,
    /// The step that a redrive goes on with.
    resumed: Option<StateName>,
    writing: HashMap<JobId, FrameId>,
}

impl<'p> Runs<'p> {
    fn new(program: &'p Program) -> Self {
        Self {
            program,
            at: Timestamp(0),
            runs: Vec::new(),
            places: HashMap::new(),
            open: HashMap::new(),
            resumed: None,
            writing: HashMap::new(),
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::ExecutionRedriven(body) => {
                self.open.retain(|frame, _| *frame == FrameId::ROOT);
                self.resumed = Some(body.step.clone()).filter(|_| !body.input_changed);
            }
            Event::StateEntered(body) => {
                // What is entered anew has runs of its own, but after a redrive.
                if self.resumed.as_ref() != Some(&body.state) || body.frame != FrameId::ROOT {
                    self.open.remove(&body.frame);
                }
                self.places.insert(body.frame, body.state.clone());
            }
            Event::ForkStarted(body) => self.opened(body),
            Event::StateExited(body) => self.ended(body.frame, "SUCCEEDED", true),
            Event::FailureCaught(body) => self.ended(body.frame, "FAILED", true),
            Event::RetryScheduled(body) => self.ended(body.frame, "FAILED", true),
            Event::FrameFailed(body) => self.ended(body.frame, "FAILED", true),
            Event::FrameCancelled(body) => self.ended(body.frame, "ABORTED", true),
            Event::ExecutionFailed(_) => self.ended(FrameId::ROOT, "FAILED", false),
            Event::ExecutionCancelled(_) | Event::ExecutionTimedOut(_) => {
                self.ended(FrameId::ROOT, "ABORTED", false);
            }
            _ => self.take_part(event),
        }
    }

    fn take_part(&mut self, event: &Event) {
        match event {
            Event::PartsKept(body) => {
                for part in &body.parts {
                    self.moves(body.frame, part.index, |counts| {
                        (&mut counts.pending, &mut counts.succeeded)
                    });
                }
            }
            Event::ItemStarted(body) => {
                let (frame, index) = (body.frame, body.index);
                self.moves(frame, index, |counts| (&mut counts.pending, &mut counts.running));
                if let Some(run) = self.run(frame) {
                    run.children.insert(body.child, index);
                    run.begun.insert(body.child, run.items_of(index));
                }
            }
            Event::ItemSucceeded(body) => {
                self.part_ended(body.frame, body.child, |counts| &mut counts.succeeded);
            }
            Event::ItemFailed(body) if &*body.failure.error == "States.Timeout" => {
                self.part_ended(body.frame, body.child, |counts| &mut counts.timed_out);
            }
            Event::ItemFailed(body) => {
                self.part_ended(body.frame, body.child, |counts| &mut counts.failed);
            }
            Event::ItemCancelled(body) => {
                self.part_ended(body.frame, body.child, |counts| &mut counts.aborted);
            }
            Event::MapRunChanged(body) => {
                if let Some(run) = self.run(body.frame) {
                    run.change(body.change.wish);
                }
            }
            Event::JobScheduled(body) if &*body.job_type == WRITE_RESULTS => {
                self.writing.insert(body.job, body.frame);
            }
            Event::JobSucceeded(body) => {
                let frame = self.writing.remove(&body.job);
                if let Some(run) = frame.and_then(|frame| self.run(frame)) {
                    for counts in [&mut run.items, &mut run.executions] {
                        counts.results_written = counts.total - counts.pending - counts.running;
                    }
                }
            }
            // Nothing else is of a run.
            _ => {}
        }
    }

    fn run(&mut self, frame: FrameId) -> Option<&mut MapRun> {
        self.runs.get_mut(*self.open.get(&frame)?)
    }

    fn opened(&mut self, body: &ForkStarted) {
        let (Some(id), Some(map)) = (body.run, self.places.get(&body.frame).cloned()) else {
            return;
        };
        let items = body.batch_ends.last().copied().unwrap_or(body.total);
        let fresh = |total: u32| {
            let total = u64::from(total);
            Counts { pending: total, total, ..Counts::default() }
        };
        let (items, executions) = (fresh(items), fresh(body.total));
        let resumes = self.resumed.take().as_ref() == Some(&map) && body.frame == FrameId::ROOT;
        let at = self.at;
        if let Some(run) = self.run(body.frame).filter(|_| resumes) {
            (run.items, run.executions) = (items, executions);
            (run.status, run.ended_at, run.current) = ("RUNNING", None, id);
            (run.redrives, run.redriven_at) = (run.redrives + 1, Some(at));
            run.batch_ends.clone_from(&body.batch_ends);
            run.children.clear();
            return;
        }
        let settings = Settings::of(self.program, &map, body);
        self.open.insert(body.frame, self.runs.len());
        self.runs.push(MapRun {
            id,
            current: id,
            map,
            status: "RUNNING",
            started_at: at,
            ended_at: None,
            concurrency: settings.concurrency,
            tolerated_count: settings.count,
            tolerated_percentage: settings.percentage,
            items,
            executions,
            redrives: 0,
            redriven_at: None,
            begun: HashMap::new(),
            batch_ends: body.batch_ends.clone(),
            children: HashMap::new(),
        });
    }

    fn ended(&mut self, frame: FrameId, status: &'static str, for_good: bool) {
        let at = self.at;
        if let Some(run) = self.run(frame).filter(|run| run.status == "RUNNING") {
            (run.status, run.ended_at) = (status, Some(at));
        }
        if for_good {
            self.open.remove(&frame);
        }
    }

    fn part_ended(
        &mut self,
        frame: FrameId,
        child: ExecutionId,
        to: impl Fn(&mut Counts) -> &mut u64,
    ) {
        let Some(run) = self.run(frame) else { return };
        let Some(index) = run.children.remove(&child) else { return };
        let items = run.items_of(index);
        for (counts, by) in [(&mut run.items, items), (&mut run.executions, 1)] {
            counts.running = counts.running.saturating_sub(by);
            *to(counts) += by;
        }
    }

    /// Counts a part elsewhere than before.
    fn moves(
        &mut self,
        frame: FrameId,
        index: u32,
        between: impl Fn(&mut Counts) -> (&mut u64, &mut u64),
    ) {
        let Some(run) = self.run(frame) else { return };
        let items = run.items_of(index);
        for (counts, by) in [(&mut run.items, items), (&mut run.executions, 1)] {
            let (from, to) = between(counts);
            *from = from.saturating_sub(by);
            *to += by;
        }
    }
}

impl MapRun {
    fn change(&mut self, wish: MapRunWish) {
        let MapRunWish { concurrency, tolerated_count, tolerated_thousandths } = wish;
        self.concurrency = concurrency.map_or(self.concurrency, u64::from);
        if tolerated_count.is_some() || tolerated_thousandths.is_some() {
            self.tolerated_count = tolerated_count.map_or(0, u64::from);
            self.tolerated_percentage = tolerated_thousandths.map_or(0.0, f64::from) / 1000.0;
        }
    }

    /// How many items a part has: one, or those of a batch.
    fn items_of(&self, index: u32) -> u64 {
        let end_of = |index: u32| self.batch_ends.get(index as usize).copied();
        let Some(end) = end_of(index) else { return 1 };
        let start = index.checked_sub(1).and_then(end_of).unwrap_or(0);
        u64::from(end.saturating_sub(start))
    }
}

/// What a Map says of its runs, as far as that stands in its definition; else what came of it.
struct Settings {
    concurrency: u64,
    count: u64,
    percentage: f64,
}

impl Settings {
    fn of(program: &Program, map: &str, opened: &ForkStarted) -> Self {
        let came = Self {
            concurrency: opened.concurrency.into(),
            count: opened.tolerated_failures.into(),
            percentage: 0.0,
        };
        let Some(StateKind::Map(map)) = program.state(map).map(|state| &state.kind) else {
            return came;
        };
        let Map { max_concurrency, tolerated_failure_count, tolerated_failure_percentage, .. } =
            &**map;
        let fixed = |number: &Number| match number {
            Number::Fixed(number) => Some(*number),
            Number::Computed(_) => None,
        };
        Self {
            concurrency: fixed(max_concurrency).unwrap_or(came.concurrency),
            count: match (tolerated_failure_count, tolerated_failure_percentage) {
                (Some(count), _) => fixed(count).unwrap_or(came.count),
                (None, Some(Number::Computed(_))) => came.count,
                (None, _) => 0,
            },
            percentage: match tolerated_failure_percentage {
                Some(Number::Fixed(percentage)) => *percentage,
                Some(Number::Computed(_)) | None => 0.0,
            },
        }
    }
}
