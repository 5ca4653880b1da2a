//! The context object: what `$$` and `$states.context` show.

use serde_json::{Map, Value, json};

use crate::engine::execution::Execution;
use crate::engine::id::FrameId;
use crate::language::{Json, State, StateKind};

/// An item of a Map, as the context object shows it.
#[derive(Debug, Clone)]
pub(super) struct MapItem {
    pub(super) index: u32,
    /// The key, when the items are those of an object.
    pub(super) key: Option<Json>,
    pub(super) value: Json,
    /// Where the item comes from. Recorded replies of AWS have it for distributed Maps alone,
    /// although <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html>
    /// shows it for an inline one.
    pub(super) source: Option<String>,
}

impl MapItem {
    fn shown(&self) -> Value {
        let mut shown = json!({"Index": self.index, "Value": self.value.value()});
        if let Some(fields) = shown.as_object_mut() {
            fields.extend(self.key.iter().map(|key| ("Key".to_owned(), key.value())));
            fields.extend(self.source.iter().map(|source| ("Source".to_owned(), json!(source))));
        }
        shown
    }
}

/// Builds the context object for a state of a frame. `item` is the Map item that is about to
/// begin, when the Map itself is asking.
pub(super) fn context_object(
    execution: &Execution,
    frame: FrameId,
    state: &State,
    item: Option<&MapItem>,
) -> Value {
    let entered = execution.frames.get(&frame);
    let retries: u32 = entered.map_or(0, |frame| frame.retries.iter().sum());
    let entered_at = entered.map(|frame| frame.entered_at.to_string());
    let mut about_state = json!({"EnteredTime": entered_at, "Name": &*state.name});
    if can_be_retried(state)
        && let Some(fields) = about_state.as_object_mut()
    {
        fields.insert("RetryCount".into(), retries.into());
    }
    let mut context = whole_context(execution, Some(about_state));
    let inherited = || map_item(execution, frame);
    if let Some(item) = item.cloned().or_else(inherited)
        && let Some(fields) = context.as_object_mut()
    {
        fields.insert("Map".into(), json!({"Item": item.shown()}));
    }
    context
}

/// The context object of an execution, with what it says of a state, where there is one.
pub(super) fn whole_context(execution: &Execution, state: Option<Value>) -> Value {
    let own_id = || execution.id.to_string();
    let mut context = json!({
        "Execution": {
            "Id": own_id(),
            "Input": execution.input.value(),
            "Name": execution.name.as_deref().map_or_else(own_id, str::to_owned),
            "StartTime": execution.started_at.to_string(),
            "RedriveCount": execution.redrives,
        },
    });
    if let Some(at) = execution.redriven_at
        && let Some(fields) = context.get_mut("Execution").and_then(Value::as_object_mut)
    {
        fields.insert("RedriveTime".into(), at.to_string().into());
    }
    if let Some(fields) = context.as_object_mut() {
        fields.extend(state.map(|state| ("State".to_owned(), state)));
        let machine = json!({
            "Id": execution.definition.to_string(),
            "Name": &*execution.workflow,
        });
        fields.insert("StateMachine".to_owned(), machine);
    }
    context
}

/// Whether the state's type has a `Retry`; others have no `RetryCount`, on AWS neither.
fn can_be_retried(state: &State) -> bool {
    matches!(state.kind, StateKind::Task(_) | StateKind::Parallel { .. } | StateKind::Map(_))
}

/// The item of the nearest inline Map that the frame is inside of. In the executions of a
/// distributed Map there is none: what they need comes with their input.
fn map_item(execution: &Execution, frame: FrameId) -> Option<MapItem> {
    let (parent, index) = execution.frames.get(&frame)?.parent?;
    let fork = execution.frames.get(&parent)?.fork();
    let Some((fork, items)) = fork.and_then(|fork| Some((fork, fork.items.as_ref()?))) else {
        return map_item(execution, parent);
    };
    let (key, value) = items.shown(fork.batch(index).start as usize);
    Some(MapItem { index, key, value, source: None })
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
