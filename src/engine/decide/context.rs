//! The context object: what `$$` and `$states.context` show.

use serde_json::{Map, Value, json};

use crate::engine::execution::{Activity, Execution, Fork};
use crate::engine::id::FrameId;
use crate::language::{Json, State};

/// Builds the context object for a state of a frame. `item` is the Map item that is about to
/// begin, when the Map itself is asking.
pub(super) fn context_object(
    execution: &Execution,
    frame: FrameId,
    state: &State,
    item: Option<(u32, &Json)>,
) -> Value {
    let entered = execution.frames.get(&frame);
    let retries: u32 = entered.map_or(0, |frame| frame.retries.iter().sum());
    let entered_at = entered.map(|frame| frame.entered_at.to_string());
    let mut context = json!({
        "Execution": {
            "Id": execution.id.to_string(),
            "Input": execution.input.value(),
            "Name": execution.name.as_deref().map_or_else(|| execution.id.to_string(), str::to_owned),
            "StartTime": execution.started_at.to_string(),
            "RedriveCount": 0,
        },
        "State": {
            "EnteredTime": entered_at,
            "Name": &*state.name,
            "RetryCount": retries,
        },
        "StateMachine": {
            "Id": execution.definition.to_string(),
            "Name": &*execution.workflow,
        },
    });
    let inherited = || map_item(execution, frame);
    if let Some((index, value)) = item.map(|(index, item)| (index, item.clone())).or_else(inherited)
        && let Some(fields) = context.as_object_mut()
    {
        fields.insert("Map".into(), json!({"Item": {"Index": index, "Value": value.value()}}));
    }
    context
}

/// The item of the nearest Map that the frame is inside of.
fn map_item(execution: &Execution, frame: FrameId) -> Option<(u32, Json)> {
    let (parent, index) = execution.frames.get(&frame)?.parent?;
    match &execution.frames.get(&parent)?.activity {
        Activity::Forked(Fork { items: Some(items), batch_ends, .. }) if batch_ends.is_empty() => {
            Some((index, items.get(index as usize)))
        }
        Activity::Forked(Fork { items: Some(items), batch_ends, .. }) => {
            let start = index.checked_sub(1).and_then(|i| batch_ends.get(i as usize).copied());
            Some((index, items.get(start.unwrap_or(0) as usize)))
        }
        Activity::Forked(_)
        | Activity::Ready
        | Activity::Job
        | Activity::Waiting(_)
        | Activity::BackingOff(_) => map_item(execution, parent),
    }
}

/// The variables that a frame can see: its own, and those of the frames around it.
pub(super) fn visible_variables(execution: &Execution, frame: FrameId) -> Map<String, Value> {
    let mut around = Vec::new();
    let mut next = Some(frame);
    while let Some(frame) = next.and_then(|id| execution.frames.get(&id)) {
        around.push(&frame.variables);
        next = frame.parent.map(|(parent, _)| parent);
    }
    // The outermost first, so that inner ones win.
    around
        .into_iter()
        .rev()
        .flatten()
        .map(|(name, value)| (name.to_string(), value.value()))
        .collect()
}
