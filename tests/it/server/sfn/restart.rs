//! What the catalogue holds is there after a restart, from the log as from a checkpoint.

use std::sync::Arc;

use everstep::store::MemoryStore;
use serde_json::{Value, json};

use super::super::Server;
use super::{pass, wait};

/// All that the API tells of what is not an execution.
fn told(server: &Server, arn: &str) -> Vec<Value> {
    let machine = json!({"stateMachineArn": arn});
    [
        ("DescribeStateMachine", machine.clone()),
        ("ListStateMachines", json!({})),
        ("ListStateMachineVersions", machine.clone()),
        ("ListStateMachineAliases", machine),
        ("DescribeStateMachineAlias", json!({"stateMachineAliasArn": format!("{arn}:live")})),
        ("ListActivities", json!({})),
        ("ListTagsForResource", json!({"resourceArn": arn})),
    ]
    .into_iter()
    .map(|(operation, input)| server.aws(operation, input))
    .collect()
}

fn survives(has_checkpoint: bool) {
    let store = Arc::new(MemoryStore::new());
    let mut first = Server::on(store.clone(), |_| {}, |builder| builder);
    let arn = first.machine("w", &pass());
    first.aws("PublishStateMachineVersion", json!({"stateMachineArn": arn}));
    let route = json!([{"stateMachineVersionArn": format!("{arn}:1"), "weight": 100}]);
    first.aws("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": route}));
    let gone = first.machine("gone", &pass());
    first.aws("DeleteStateMachine", json!({"stateMachineArn": gone}));
    first.aws("CreateActivity", json!({"name": "a"}));
    if has_checkpoint {
        first.runtime.block_on(first.engine.checkpoint());
    }
    // What follows is in the log alone.
    let change = json!({"stateMachineArn": arn, "definition": wait().to_string(), "publish": true});
    first.aws("UpdateStateMachine", change);
    let tags = json!([{"key": "k", "value": "v"}]);
    first.aws("TagResource", json!({"resourceArn": arn, "tags": tags}));
    let before = told(&first, &arn);
    first.stop();
    drop(first);

    let second = Server::on(store, |_| {}, |builder| builder);
    assert_eq!(told(&second, &arn), before);
    let missing = json!({"stateMachineArn": gone});
    assert_eq!(second.aws_error("DescribeStateMachine", missing), "StateMachineDoesNotExist");
    let again = json!({"stateMachineArn": arn});
    let version = second.aws("PublishStateMachineVersion", again);
    assert_eq!(version["stateMachineVersionArn"], format!("{arn}:2"), "nothing has changed");
}

#[test]
fn the_catalogue_is_read_again_from_the_log() {
    survives(false);
}

#[test]
fn the_catalogue_is_read_again_from_a_checkpoint_and_the_log_after_it() {
    survives(true);
}
