//! `everstep log verify`: whether the log is whole and makes sense.

use super::super::exit::Exit;
use super::super::fault::{Fault, Outcome};
use super::super::source::Source;
use super::super::ui::Mark;
use super::super::{Context, data};
use super::pages::Pages;
use crate::store::Check;
use crate::view::{Report, Verifier, counted};

pub(super) async fn run(context: &Context) -> Outcome {
    let folder = data::folder_to_read(context.data.as_deref());
    data::expect_log(&folder)?;
    // Opening checks every checksum, and that no tail was lost.
    let source = Source::open(&folder, Check::All).await?;
    let report = verify(&source).await?;
    let ui = &context.ui;
    if ui.is_json() {
        ui.document("everstep.verification/v1", &report.verification())?;
    } else {
        ui.print(&words(context, &report))?;
    }
    if !report.is_sound() {
        ui.say("restore a backup of the data folder; see docs/OPERATIONS.md");
        return Ok(Exit::Damaged);
    }
    Ok(Exit::Done)
}

async fn verify(source: &Source) -> Result<Report, Box<Fault>> {
    let mut verifier = Verifier::default();
    let mut pages = Pages::of(source, 1, None).await?;
    while let Some(records) = pages.next().await? {
        records.iter().for_each(|record| verifier.take(record));
    }
    Ok(verifier.finish())
}

fn words(context: &Context, report: &Report) -> String {
    let ui = &context.ui;
    let Report { events, executions, unfinished, workflows, deleted, deleted_events, .. } = report;
    let mark = Mark::of(if report.is_sound() { "completed" } else { "failed" });
    let glyph = ui.paint(mark.role, mark.glyph(ui));
    let mut words = format!(
        "{glyph} {}, {} ({unfinished} unfinished), {}: ",
        counted(*events, "event"),
        counted(*executions, "execution"),
        counted(*workflows, "workflow"),
    );
    if report.is_sound() {
        words.push_str("checksums, density, order and folds hold\n");
        if *deleted > 0 || *deleted_events > 0 {
            words.push_str(&format!(
                "  deleted: {}; {} taken away, as the log states\n",
                counted(*deleted, "execution"),
                counted(*deleted_events, "event")
            ));
        }
        return words;
    }
    words.push_str(&format!("{}\n", counted(report.total_faults, "fault")));
    for fault in &report.faults {
        words.push_str(&format!(
            "  event {}: {} [{}] in {}\n",
            fault.position, fault.message, fault.check, fault.execution
        ));
    }
    words
}
