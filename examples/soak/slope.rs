//! Whether what was noted is level: by a line through it, or, of what goes in whole steps, by its
//! ends.

use super::process::Sample;

const DAY: f64 = 86_400.0;

/// What is noted, and how steep it may be.
struct Row {
    name: &'static str,
    of: fn(&Sample) -> f64,
    bound: Bound,
}

/// What something may grow by in a day.
#[derive(Clone, Copy)]
enum Bound {
    /// It is only told.
    None,
    /// The line through it is no steeper than this.
    Slope(f64),
    /// A count of few, which goes in whole steps: a single step in the middle of an hour has a slope
    /// of more than one in an hour, and says nothing of the next hour. So the most that there was in
    /// the last third of the time is held against the most in the first third: it may be more by
    /// this, for the time from one end to the other, but by one in any case. What comes and goes is
    /// in both; what leaks one in an hour shows in a soak of some hours.
    Count(f64),
}

impl Bound {
    fn a_day(self) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Slope(bound) | Self::Count(bound) => Some(bound),
        }
    }
}

/// A megabyte of memory, ten of disk and one descriptor in an hour: what an hour can tell from the
/// noise. The whole log is written anew in less time than that.
const ROWS: [Row; 8] = [
    Row { name: "RSS, MB", of: |sample| sample.memory, bound: Bound::Slope(24.0) },
    Row { name: "file descriptors", of: |sample| sample.descriptors, bound: Bound::Count(24.0) },
    Row { name: "threads", of: |sample| sample.threads, bound: Bound::Count(24.0) },
    Row { name: "disk, MB", of: |sample| sample.disk, bound: Bound::Slope(240.0) },
    Row { name: "start p50, ms", of: |sample| sample.p50, bound: Bound::Slope(24.0) },
    Row { name: "start p99, ms", of: |sample| sample.p99, bound: Bound::Slope(240.0) },
    Row { name: "written, MB", of: |sample| sample.written, bound: Bound::None },
    Row { name: "processor, s", of: |sample| sample.processor, bound: Bound::None },
];

/// Lays a line through each and prints how steep it is; whether all are level.
pub(crate) fn judge(samples: &[Sample], warm_up: u64, starts: u64) -> bool {
    let samples: Vec<&Sample> =
        samples.iter().filter(|sample| sample.at.as_secs() >= warm_up).collect();
    println!("\n{} samples after {} min of warm-up; {starts} starts", samples.len(), warm_up / 60);
    println!("what                 first   mean   last   a day   ± 2 s.e.   bound");
    let mut all = true;
    for row in &ROWS {
        let points: Vec<(f64, f64)> =
            samples.iter().map(|sample| (sample.at.as_secs_f64(), (row.of)(sample))).collect();
        if points.len() < 3 {
            println!("too few samples to judge");
            return false;
        }
        let line = Line::through(&points);
        let (steep, unsure) = (line.slope * DAY, 2.0 * line.error * DAY);
        let verdict = match row.bound {
            Bound::None => "told only",
            Bound::Count(bound) if more_at_most(&points) > allowed(&points, bound) => "GROWS",
            Bound::Count(_) => "level",
            Bound::Slope(bound) if steep - unsure > bound => "GROWS",
            Bound::Slope(bound) if steep + unsure <= bound => "level",
            Bound::Slope(_) => "too noisy to tell",
        };
        all &= matches!(verdict, "level" | "told only");
        let (first, last) = (points[0].1, points[points.len() - 1].1);
        let bound = row.bound.a_day().map_or_else(|| "-".to_owned(), |bound| bound.to_string());
        println!(
            "{:17} {first:8.2} {:8.2} {last:8.2} {steep:9.2} {unsure:9.2} {bound:>5}  {verdict}",
            row.name, line.mean
        );
    }
    all
}

/// How much more the last third has at most than the first third has at most.
fn more_at_most(points: &[(f64, f64)]) -> f64 {
    let third = points.len() / 3;
    let most = |part: &[(f64, f64)]| part.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    most(&points[points.len() - third..]) - most(&points[..third])
}

/// What a count may grow by from the end of the first third to that of the last.
fn allowed(points: &[(f64, f64)], a_day: f64) -> f64 {
    let (from, to) = (points[points.len() / 3 - 1].0, points[points.len() - 1].0);
    (a_day * (to - from) / DAY).max(1.0)
}

struct Line {
    mean: f64,
    /// For each second.
    slope: f64,
    /// The standard error of the slope.
    error: f64,
}

impl Line {
    /// Least squares.
    fn through(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean_at = points.iter().map(|(at, _)| at).sum::<f64>() / count;
        let mean = points.iter().map(|(_, value)| value).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
        let both: f64 = points.iter().map(|(at, value)| (at - mean_at) * (value - mean)).sum();
        let slope = both / spread;
        let rest: f64 =
            points.iter().map(|(at, value)| (value - mean - slope * (at - mean_at)).powi(2)).sum();
        Self { mean, slope, error: (rest / (count - 2.0) / spread).sqrt() }
    }
}
