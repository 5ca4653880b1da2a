//! Printing, and the numbers behind it.

use std::time::Duration;

/// The heading of a section.
pub fn title(name: &str) {
    println!("\n## {name}");
}

/// One row: a label and `name value` pairs.
pub fn row(label: &str, figures: &[(&str, String)]) {
    let figures: Vec<String> =
        figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
    println!("{label:<44} {}", figures.join("   "));
}

/// A duration in milliseconds, with two digits.
pub fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

/// A rate per second, in thousands where it is large.
pub fn rate(count: u64, took: Duration) -> String {
    let rate = count as f64 / took.as_secs_f64();
    if rate >= 10_000.0 { format!("{:.1}k/s", rate / 1000.0) } else { format!("{rate:.0}/s") }
}

/// The value below which a share of the sorted values lies.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len().saturating_sub(1)) as f64 * share;
    sorted.get(index.round() as usize).copied().unwrap_or_default()
}

/// Bytes in megabytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
