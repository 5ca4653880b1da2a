//! Machines: creating, changing, showing and removing them; their versions and tags.

use serde_json::json;

use super::super::Server;
use super::{pages, pass, text, texts, wait};

#[test]
fn a_machine_is_created_once_and_again_only_as_it_is() {
    let server = Server::new();
    let input = |definition: &serde_json::Value, kind: &str, role: &str| json!({"name": "w", "definition": definition.to_string(), "roleArn": role, "type": kind});
    let first = server.aws("CreateStateMachine", input(&pass(), "STANDARD", "arn:r"));
    assert!(first["creationDate"].is_f64(), "{first}");
    let again = server.aws("CreateStateMachine", input(&pass(), "STANDARD", "arn:other"));
    assert_eq!(first, again, "the role does not count");
    for other in [input(&wait(), "STANDARD", "arn:r"), input(&pass(), "EXPRESS", "arn:r")] {
        let (kind, message) = server.aws_refuses("CreateStateMachine", other);
        assert_eq!(kind, "StateMachineAlreadyExists");
        let arn = text(&first["stateMachineArn"]);
        assert_eq!(message, format!("State Machine Already Exists: '{arn}'"));
    }
    let told =
        server.aws("DescribeStateMachine", json!({"stateMachineArn": first["stateMachineArn"]}));
    assert_eq!(told["roleArn"], "arn:r");
    assert_eq!(told["type"], "STANDARD");
    assert_eq!(told["status"], "ACTIVE");
    assert_eq!(told["name"], "w");
    assert_eq!(told["loggingConfiguration"]["level"], "OFF");
    let definition: serde_json::Value = serde_json::from_str(&text(&told["definition"])).unwrap();
    assert_eq!(definition, pass());
}

#[test]
fn what_is_configured_is_given_back() {
    let server = Server::new();
    let logging = json!({"level": "ALL", "includeExecutionData": true, "destinations":
        [{"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:r:a:log-group:g:*"}}]});
    let created = server.aws(
        "CreateStateMachine",
        json!({"name": "w", "definition": pass().to_string(), "roleArn": "arn:r", "type": "EXPRESS",
            "loggingConfiguration": logging, "tracingConfiguration": {"enabled": true},
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
            "tags": [{"key": "team", "value": "a"}]}),
    );
    let arn = &created["stateMachineArn"];
    let told = server.aws("DescribeStateMachine", json!({"stateMachineArn": arn}));
    assert_eq!(told["loggingConfiguration"], logging);
    assert_eq!(told["tracingConfiguration"], json!({"enabled": true}));
    assert_eq!(told["type"], "EXPRESS");
    let tags = server.aws("ListTagsForResource", json!({"resourceArn": arn}));
    assert_eq!(tags, json!({"tags": [{"key": "team", "value": "a"}]}));
}

#[test]
fn what_is_wrong_with_a_machine_is_told_by_the_names_of_aws() {
    let server = Server::new();
    let create = |name: &str, definition: &str| {
        let input = json!({"name": name, "definition": definition, "roleArn": "arn:r"});
        server.aws_refuses("CreateStateMachine", input)
    };
    let (kind, message) = create("w", r#"{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}"#);
    assert_eq!(kind, "InvalidDefinition");
    assert!(message.starts_with("Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: "));
    assert!(message.contains(" at /StartAt"), "{message}");
    assert_eq!(create("w", "{").0, "InvalidDefinition");
    assert_eq!(
        create("a b", &pass().to_string()),
        ("InvalidName".into(), "Invalid Name: 'a b'".into())
    );
    assert_eq!(create(&"x".repeat(81), &pass().to_string()).0, "ValidationException");
    let own_key = json!({"name": "w", "definition": pass().to_string(), "roleArn": "arn:r",
        "encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}});
    let kind = server.aws_error("CreateStateMachine", own_key);
    assert_eq!(kind, "InvalidEncryptionConfiguration");
    assert_eq!(server.aws("ListStateMachines", json!({}))["stateMachines"], json!([]));
}

#[test]
fn a_change_gives_a_new_revision_and_publishes_what_it_made() {
    let server = Server::new();
    let arn = server.machine("w", &pass());
    let describe = || server.aws("DescribeStateMachine", json!({"stateMachineArn": arn}));
    let before = describe();
    let changed = server.aws(
        "UpdateStateMachine",
        json!({"stateMachineArn": arn, "definition": wait().to_string(), "publish": true,
            "versionDescription": "waits"}),
    );
    assert_ne!(changed["revisionId"], before["revisionId"]);
    assert_eq!(changed["stateMachineVersionArn"], format!("{arn}:1"));
    let after = describe();
    assert_eq!(after["revisionId"], changed["revisionId"]);
    assert_eq!(after["creationDate"], before["creationDate"]);
    let role = json!({"stateMachineArn": arn, "roleArn": "arn:other"});
    let revision = server.aws("UpdateStateMachine", role)["revisionId"].clone();
    assert_ne!(revision, changed["revisionId"]);
    assert_eq!(describe()["roleArn"], "arn:other");
    let version =
        server.aws("DescribeStateMachine", json!({"stateMachineArn": format!("{arn}:1")}));
    assert_eq!(version["description"], "waits");
    let nothing = server.aws_error("UpdateStateMachine", json!({"stateMachineArn": arn}));
    assert_eq!(nothing, "MissingRequiredParameter");
    let none = json!({"stateMachineArn": arn.replace(":w", ":x"), "roleArn": "r"});
    assert_eq!(server.aws_error("UpdateStateMachine", none), "StateMachineDoesNotExist");
}

#[test]
fn versions_are_numbered_as_they_were_published() {
    let server = Server::new();
    let arn = server.machine("w", &pass());
    let publish = |more: serde_json::Value| {
        let mut input = json!({"stateMachineArn": arn});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.aws("PublishStateMachineVersion", input)
    };
    // Deployed twice before anything is published.
    server.aws(
        "UpdateStateMachine",
        json!({"stateMachineArn": arn, "definition": wait().to_string()}),
    );
    let first = publish(json!({"description": "one"}));
    assert_eq!(first["stateMachineVersionArn"], format!("{arn}:1"));
    assert_eq!(publish(json!({"description": "again"})), first, "nothing has changed");
    server.aws(
        "UpdateStateMachine",
        json!({"stateMachineArn": arn, "definition": pass().to_string()}),
    );
    let stale = json!({"stateMachineArn": arn, "revisionId": "INITIAL"});
    assert_eq!(server.aws_error("PublishStateMachineVersion", stale), "ConflictException");
    let described = server.aws("DescribeStateMachine", json!({"stateMachineArn": arn}));
    let second = publish(json!({"revisionId": described["revisionId"]}));
    assert_eq!(second["stateMachineVersionArn"], format!("{arn}:2"));
    let input = json!({"stateMachineArn": arn});
    let all = pages(&server, "ListStateMachineVersions", &input, "stateMachineVersions");
    let arns = texts(&json!(all), "stateMachineVersionArn");
    assert_eq!(arns, [format!("{arn}:2"), format!("{arn}:1")], "the newest first");
    let gone = json!({"stateMachineVersionArn": format!("{arn}:1")});
    server.aws("DeleteStateMachineVersion", gone.clone());
    server.aws("DeleteStateMachineVersion", gone);
    let missing = json!({"stateMachineArn": format!("{arn}:1")});
    assert_eq!(server.aws_error("DescribeStateMachine", missing), "StateMachineDoesNotExist");
    let plain = json!({"stateMachineVersionArn": arn});
    assert_eq!(server.aws_error("DeleteStateMachineVersion", plain), "InvalidArn");
}

#[test]
fn workflows_that_came_another_way_are_shown_too() {
    let server = Server::new();
    server.deploy("deployed", &pass());
    let list = server.aws("ListStateMachines", json!({}));
    assert_eq!(texts(&list["stateMachines"], "name"), ["deployed"]);
    let arn = text(&list["stateMachines"][0]["stateMachineArn"]);
    let told = server.aws("DescribeStateMachine", json!({"stateMachineArn": arn}));
    assert_eq!(told["roleArn"], "arn:aws:iam::000000000000:role/everstep");
    assert_eq!(told["creationDate"], list["stateMachines"][0]["creationDate"]);
    assert!(told["creationDate"].as_f64().unwrap() > 1e9);
    assert_eq!(server.machine("deployed", &pass()), arn, "to create it as it is takes it over");
    let told = server.aws("DescribeStateMachine", json!({"stateMachineArn": arn}));
    assert_eq!(told["roleArn"], "arn:r");
}

#[test]
fn a_machine_that_was_deleted_is_gone_until_it_is_created_again() {
    let server = Server::new();
    let arn = server.machine("w", &pass());
    server.machine("x", &pass());
    let all = pages(&server, "ListStateMachines", &json!({}), "stateMachines");
    assert_eq!(texts(&json!(all), "name"), ["w", "x"]);
    server.aws("PublishStateMachineVersion", json!({"stateMachineArn": arn}));
    server.aws("DeleteStateMachine", json!({"stateMachineArn": arn}));
    server.aws("DeleteStateMachine", json!({"stateMachineArn": arn}));
    for operation in ["DescribeStateMachine", "StartExecution", "ListExecutions"] {
        let kind = server.aws_error(operation, json!({"stateMachineArn": arn}));
        assert_eq!(kind, "StateMachineDoesNotExist", "{operation}");
    }
    assert_eq!(server.machine("w", &wait()), arn, "with another definition, too");
    let versions = server.aws("ListStateMachineVersions", json!({"stateMachineArn": arn}));
    assert_eq!(versions["stateMachineVersions"], json!([]));
}

#[test]
fn tags_are_added_replaced_and_taken_away() {
    let server = Server::new();
    let arn = server.machine("w", &pass());
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let tags = json!({"resourceArn": arn, "tags": [tag("a", "1"), tag("b", "2")]});
    server.aws("TagResource", tags);
    server.aws("TagResource", json!({"resourceArn": arn, "tags": [tag("a", "3")]}));
    server.aws("UntagResource", json!({"resourceArn": arn, "tagKeys": ["b", "none"]}));
    let listed = server.aws("ListTagsForResource", json!({"resourceArn": arn}));
    assert_eq!(listed["tags"], json!([tag("a", "3")]));
    let many: Vec<_> = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
    let kind = server.aws_error("TagResource", json!({"resourceArn": arn, "tags": many}));
    assert_eq!(kind, "TooManyTags");
    let none = json!({"resourceArn": arn.replace(":w", ":x")});
    assert_eq!(server.aws_error("ListTagsForResource", none), "ResourceNotFound");
}
