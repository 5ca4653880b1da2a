//! Deleting an execution.

use serde_json::{Value, json};

use super::super::http::{Kind, Param, Problem};
use super::actions::{DRY_RUN, EXPECT_SEQ, Order, REASON};
use crate::runtime::Delete;

pub(super) const DELETE: &[Param] = &[
    REASON,
    EXPECT_SEQ,
    DRY_RUN,
    Param::new(
        "children",
        Kind::Flag,
        "Whether executions that a Task began go too. The parts of distributed Maps always do.",
    ),
];

pub(super) async fn delete(order: &Order<'_>) -> Result<Option<Value>, Problem> {
    let wish = Delete {
        by: order.by.clone(),
        reason: order.reason.clone(),
        children: order.call.query.flag("children"),
        dry_run: order.dry_run,
    };
    let deleted = order.engine.delete(order.execution.id, &wish).await?;
    let ids = deleted.deleted.iter().map(ToString::to_string).collect::<Vec<_>>();
    let kept = deleted.kept.iter().map(|kept| kept.execution.to_string()).collect::<Vec<_>>();
    Ok(Some(json!({"deleted": ids, "kept": kept})))
}
