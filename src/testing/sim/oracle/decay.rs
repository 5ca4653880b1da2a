//! Whether what is said of a disk that decays is so.

use serde_json::Value;

use super::{Log, Verdict, body, name, number, text};

/// What a store says of a log that is not as it was written.
const DAMAGE: &[&str] = &["STORE_DAMAGED", "STORE_NEWER_FORMAT"];

/// What is known of the disk at some place of the story.
#[derive(Default)]
struct Known<'s> {
    /// The file in which a bit is another than was written, and since when.
    rotten: Option<(&'s str, u64)>,
    /// Up to when there was such a one in the log before.
    until: Option<u64>,
    /// Whether it cannot be read.
    is_unreadable: bool,
    /// Up to when it could not be read.
    unreadable_until: Option<u64>,
    /// When the last process began.
    process: u64,
}

/// Damage is said where there is some, and that the disk cannot be read while that is so. What is kept
/// beside the log is no longer damaged once a process has begun: it is begun anew. Of two marks of
/// where the log ends one is enough.
pub(super) fn judge_damage(story: &[Value]) -> Verdict {
    let mut known = Known::default();
    for told in story {
        known.take(told);
        let code = text(told, "code");
        let began = match (text(told, "call"), text(told, "world")) {
            ("troubled", _) => number(told, "began"),
            (_, "it does not open") => known.process,
            _ => continue,
        };
        if DAMAGE.contains(&code) && !known.may_be_damaged(began) {
            return Err(format!("there is no damage, or there should be none any more: {told}"));
        }
        if code == "STORE_IO" && text(told, "call") == "troubled" && !known.may_fail(began) {
            return Err(format!("the disk can be read: {told}"));
        }
    }
    Ok(())
}

impl<'s> Known<'s> {
    fn take(&mut self, told: &'s Value) {
        let at = number(told, "at");
        match text(told, "world") {
            "a bit rots" => self.rotten = Some((text(told, "file"), at)),
            "the copy is put back" => {
                self.rotten = None;
                self.until = Some(at);
            }
            "the disk cannot be read" => self.is_unreadable = true,
            "the disk can be read again" => {
                self.is_unreadable = false;
                self.unreadable_until = Some(at);
            }
            "a process begins" => self.process = at,
            _ => {}
        }
    }

    /// Whether somebody may be told of damage who asked at some step.
    fn may_be_damaged(&self, began: u64) -> bool {
        let is_there = match self.rotten {
            Some(("log", _)) => true,
            Some(("index", since)) => since >= self.process,
            _ => false,
        };
        is_there || self.until.is_some_and(|until| began <= until)
    }

    /// Whether somebody who asked at some step may be told that the disk cannot be read.
    fn may_fail(&self, began: u64) -> bool {
        self.is_unreadable || self.unreadable_until.is_some_and(|until| began <= until)
    }
}

/// An execution is set aside only when something that it hangs on is damaged.
pub(super) fn judge_set_aside(story: &[Value], log: &Log<'_>) -> Verdict {
    let has_rotted = story.iter().any(|told| text(told, "world") == "a bit rots");
    for (id, history) in &log.histories {
        let aside = history.records.iter().find(|record| name(record) == "ExecutionSetAside");
        let Some(aside) = aside else { continue };
        let reason = text(body(aside), "reason");
        if !(has_rotted && reason.contains("is damaged")) {
            return Err(format!("{id} is set aside: {reason}"));
        }
    }
    Ok(())
}
