//! Aliases, and how they lead to versions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::Server;
use super::{pages, pass, text, texts, wait};

/// A machine with two versions: the first ends at once, the second waits.
fn two_versions(server: &Server) -> String {
    let arn = server.machine("w", &pass());
    server.aws("PublishStateMachineVersion", json!({"stateMachineArn": arn}));
    let change = json!({"stateMachineArn": arn, "definition": wait().to_string(), "publish": true});
    server.aws("UpdateStateMachine", change);
    arn
}

fn routes(arn: &str, weights: &[(u64, u64)]) -> Value {
    let route = |(version, weight): &(u64, u64)| json!({"stateMachineVersionArn": format!("{arn}:{version}"), "weight": weight});
    weights.iter().map(route).collect()
}

fn create(server: &Server, arn: &str, name: &str, weights: &[(u64, u64)]) -> String {
    let input = json!({"name": name, "routingConfiguration": routes(arn, weights)});
    text(&server.aws("CreateStateMachineAlias", input)["stateMachineAliasArn"])
}

/// The definitions that some starts run.
fn run(server: &Server, arn: &str, starts: usize) -> BTreeSet<String> {
    let start = |_| {
        let started = server.aws("StartExecution", json!({"stateMachineArn": arn}));
        let execution = json!({"executionArn": started["executionArn"]});
        text(&server.aws("DescribeStateMachineForExecution", execution)["definition"])
    };
    (0..starts).map(start).collect()
}

#[test]
fn an_alias_leads_to_its_versions_by_weight() {
    let server = Server::new();
    let arn = two_versions(&server);
    let alias = create(&server, &arn, "live", &[(1, 100)]);
    assert_eq!(run(&server, &alias, 20).len(), 1);
    let change = |weights: &[(u64, u64)]| {
        let input =
            json!({"stateMachineAliasArn": alias, "routingConfiguration": routes(&arn, weights)});
        server.aws("UpdateStateMachineAlias", input);
    };
    change(&[(1, 50), (2, 50)]);
    assert_eq!(run(&server, &alias, 64).len(), 2);
    change(&[(1, 0), (2, 100)]);
    let only = run(&server, &alias, 20);
    assert_eq!(only, run(&server, &format!("{arn}:2"), 1));
    assert_ne!(only, run(&server, &format!("{arn}:1"), 1));
}

#[test]
fn an_execution_knows_the_version_and_alias_that_it_was_started_by() {
    let server = Server::new();
    let arn = two_versions(&server);
    let alias = create(&server, &arn, "live", &[(2, 100)]);
    let by = |of: &str| {
        let started = server.aws("StartExecution", json!({"stateMachineArn": of}));
        let execution = json!({"executionArn": started["executionArn"]});
        let told = server.aws("DescribeExecution", execution);
        assert_eq!(told["stateMachineArn"], arn);
        (told["stateMachineVersionArn"].clone(), told["stateMachineAliasArn"].clone())
    };
    assert_eq!(by(&arn), (Value::Null, Value::Null));
    assert_eq!(by(&format!("{arn}:1")), (json!(format!("{arn}:1")), Value::Null));
    assert_eq!(by(&alias), (json!(format!("{arn}:2")), json!(alias)));
    // Lists tell the same, and of a version or alias only what was started by it.
    let list = |of: &str| {
        let listed =
            pages(&server, "ListExecutions", &json!({"stateMachineArn": of}), "executions");
        let members = ["stateMachineVersionArn", "stateMachineAliasArn"];
        let told = |row: Value| members.map(|member| row[member].as_str().map(str::to_owned));
        listed.into_iter().map(told).collect::<Vec<_>>()
    };
    let (first, second) = (Some(format!("{arn}:1")), Some(format!("{arn}:2")));
    let by_alias = [second, Some(alias.clone())];
    assert_eq!(list(&alias), std::slice::from_ref(&by_alias));
    assert_eq!(list(&format!("{arn}:2")), std::slice::from_ref(&by_alias));
    assert_eq!(list(&format!("{arn}:1")), [[first.clone(), None]]);
    assert_eq!(list(&arn), [by_alias, [first, None], [None, None]]);
}

#[test]
fn an_alias_is_described_listed_changed_and_deleted() {
    let server = Server::new();
    let arn = two_versions(&server);
    let live = create(&server, &arn, "live", &[(1, 90), (2, 10)]);
    let old = create(&server, &arn, "old", &[(1, 100)]);
    assert_eq!(create(&server, &arn, "old", &[(1, 100)]), old, "the same again is the same");
    let told = server.aws("DescribeStateMachineAlias", json!({"stateMachineAliasArn": live}));
    assert_eq!(told["name"], "live");
    assert_eq!(told["routingConfiguration"], routes(&arn, &[(1, 90), (2, 10)]));
    let about = json!({"stateMachineAliasArn": live, "description": "in use"});
    server.aws("UpdateStateMachineAlias", about);
    let told = server.aws("DescribeStateMachineAlias", json!({"stateMachineAliasArn": live}));
    assert_eq!(told["description"], "in use");
    let list = |of: &str| {
        let input = json!({"stateMachineArn": of});
        let all = pages(&server, "ListStateMachineAliases", &input, "stateMachineAliases");
        texts(&json!(all), "stateMachineAliasArn")
    };
    assert_eq!(list(&arn), [live.clone(), old]);
    assert_eq!(list(&format!("{arn}:2")), std::slice::from_ref(&live));
    let used = json!({"stateMachineVersionArn": format!("{arn}:2")});
    assert_eq!(server.aws_error("DeleteStateMachineVersion", used.clone()), "ConflictException");
    server.aws("DeleteStateMachineAlias", json!({"stateMachineAliasArn": live}));
    let gone = json!({"stateMachineAliasArn": live});
    assert_eq!(server.aws_error("DescribeStateMachineAlias", gone.clone()), "ResourceNotFound");
    assert_eq!(server.aws_error("DeleteStateMachineAlias", gone), "ResourceNotFound");
    server.aws("DeleteStateMachineVersion", used);
}

#[test]
fn an_alias_that_would_lead_nowhere_is_refused() {
    let server = Server::new();
    let arn = two_versions(&server);
    create(&server, &arn, "live", &[(1, 100)]);
    let refused = |name: &str, routes: Value| {
        let input = json!({"name": name, "routingConfiguration": routes});
        server.aws_error("CreateStateMachineAlias", input)
    };
    assert_eq!(refused("a", routes(&arn, &[(3, 100)])), "ResourceNotFound");
    assert_eq!(refused("a", routes(&arn, &[(1, 90), (2, 11)])), "ValidationException");
    assert_eq!(refused("a", routes(&arn, &[(1, 50), (1, 50)])), "ValidationException");
    assert_eq!(refused("a", routes(&arn, &[])), "ValidationException");
    assert_eq!(refused("12", routes(&arn, &[(1, 100)])), "InvalidName");
    assert_eq!(refused("live", routes(&arn, &[(2, 100)])), "ConflictException");
    let machine = json!([{"stateMachineVersionArn": arn, "weight": 100}]);
    assert_eq!(refused("a", machine), "InvalidArn");
    let missing = json!({"stateMachineArn": format!("{arn}:none")});
    assert_eq!(server.aws_error("StartExecution", missing), "StateMachineDoesNotExist");
}
