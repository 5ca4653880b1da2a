//! What generated states may ask for besides a job: callbacks, executions, map runs, files.

use serde_json::{Value, json};

use super::generate::put;
use super::generate_cleanup::undo;
use super::random::Random;

/// Makes some Tasks wait for a callback, or be executions of their own.
pub(super) fn vary_task(random: &mut Random, jsonata: bool, state: &mut Value) {
    let Some(fields) = state.as_object_mut() else { return };
    let arguments = if jsonata { "Arguments" } else { "Parameters" };
    match random.below(8) {
        0 => {
            let resource = fields.get("Resource").and_then(Value::as_str).unwrap_or_default();
            let resource = format!("{resource}.waitForTaskToken");
            fields.insert("Resource".into(), resource.into());
            fields.insert(arguments.into(), token(jsonata));
        }
        1 | 2 => {
            let pattern = ["", ".sync", ".sync:2", ".waitForTaskToken"];
            let pattern = random.pick(&pattern).copied().unwrap_or_default();
            let resource = format!("arn:aws:states:::states:startExecution{pattern}");
            let input =
                if pattern == ".waitForTaskToken" { token(jsonata) } else { json!({"a": 1}) };
            fields.insert("Resource".into(), resource.into());
            let asked = json!({"StateMachineArn": "other", "Input": input});
            fields.insert(arguments.into(), asked);
        }
        _ => {}
    }
}

fn token(jsonata: bool) -> Value {
    if jsonata {
        json!({"token": "{% $states.context.Task.Token %}"})
    } else {
        json!({"token.$": "$$.Task.Token"})
    }
}

/// Makes some Maps distributed, some of them with items from files or results into files.
pub(super) fn vary_map(random: &mut Random, jsonata: bool, state: &mut Value) {
    if !random.one_in(3) {
        return;
    }
    let arguments = if jsonata { "Arguments" } else { "Parameters" };
    let Some(fields) = state.as_object_mut() else { return };
    if random.one_in(3) {
        fields.insert("CountErrors".into(), "ignore".into());
    }
    if let Some(processor) = fields.get_mut("ItemProcessor").and_then(Value::as_object_mut) {
        let config = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
        processor.insert("ProcessorConfig".into(), config);
    }
    if random.one_in(3)
        && let Some(processor) = fields.get_mut("ItemProcessor")
        && let Some(first) = processor.get("StartAt").and_then(Value::as_str).map(str::to_owned)
    {
        // Each part is an execution of its own, with steps that can be undone.
        let state = json!({"Type": "Task", "Resource": "alpha", "End": true});
        undo(processor, &first, (&format!("Undo {first}"), state));
    }
    if random.one_in(3) {
        fields.shift_remove("ItemsPath");
        fields.shift_remove("Items");
        let mut reader = json!({"Resource": "s3:getObject", "ReaderConfig": {"InputType": "JSON"}});
        put(&mut reader, arguments, json!({"Bucket": "in", "Key": "k"}));
        fields.insert("ItemReader".into(), reader);
    }
    if random.one_in(3) {
        let mut writer = json!({"Resource": "s3:putObject"});
        put(&mut writer, arguments, json!({"Bucket": "out", "Prefix": "p"}));
        fields.insert("ResultWriter".into(), writer);
    }
}
