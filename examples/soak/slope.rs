//! A line through what was noted, and whether it is level.

use super::process::Sample;

const DAY: f64 = 86_400.0;

/// What is noted, and how steep it may be.
struct Row {
    name: &'static str,
    of: fn(&Sample) -> f64,
    /// What it may grow by in a day. None where it is only told.
    bound: Option<f64>,
}

/// A megabyte of memory, ten of disk and one descriptor in an hour: what an hour can tell from the
/// noise. The whole log is written anew in less time than that.
const ROWS: [Row; 8] = [
    Row { name: "RSS, MB", of: |sample| sample.memory, bound: Some(24.0) },
    Row { name: "file descriptors", of: |sample| sample.descriptors, bound: Some(24.0) },
    Row { name: "threads", of: |sample| sample.threads, bound: Some(24.0) },
    Row { name: "disk, MB", of: |sample| sample.disk, bound: Some(240.0) },
    Row { name: "start p50, ms", of: |sample| sample.p50, bound: Some(24.0) },
    Row { name: "start p99, ms", of: |sample| sample.p99, bound: Some(240.0) },
    Row { name: "written, MB", of: |sample| sample.written, bound: None },
    Row { name: "processor, s", of: |sample| sample.processor, bound: None },
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
            None => "told only",
            Some(bound) if steep - unsure > bound => "GROWS",
            Some(bound) if steep + unsure <= bound => "level",
            Some(_) => "too noisy to tell",
        };
        all &= matches!(verdict, "level" | "told only");
        let (first, last) = (points[0].1, points[points.len() - 1].1);
        let bound = row.bound.map_or_else(|| "-".to_owned(), |bound| bound.to_string());
        println!(
            "{:17} {first:8.2} {:8.2} {last:8.2} {steep:9.2} {unsure:9.2} {bound:>5}  {verdict}",
            row.name, line.mean
        );
    }
    all
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
