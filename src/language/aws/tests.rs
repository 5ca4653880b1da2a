//! What AWS refuses, each at its place.

use super::check;
use crate::language::diagnostic::codes;
use crate::language::{self, Format, Options};

/// Checks that AWS refuses the definition once, at the mark, and that it runs here; gives the hint.
fn refused(code: &str, pointer: &str, marked: &str) -> String {
    let at = marked.find('¦').unwrap();
    let text = marked.replace('¦', "");
    let options = Options::default();
    let mut hint = String::new();
    for format in [Format::Json, Format::Yaml] {
        language::parse(&text, format, &options).unwrap();
        let found = check(&text, format, &options);
        let [found] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!((found.code, &*found.pointer), (code, pointer), "{}", found.message);
        assert_eq!(found.column, text[..at].chars().count() + 1);
        hint = found.hint.clone().unwrap();
    }
    hint
}

/// A Map with an ARN inside and more fields.
fn map(fields: &str) -> String {
    format!(
        r#"{{"StartAt":"A","States":{{"A":{{"Type":"Map",{fields}"End":true,"ItemProcessor":{{"StartAt":"B","States":{{"B":{{"Type":"Succeed"}}}}}}}}}}}}"#
    )
}

/// The same with a configuration of its processor.
fn distributed(fields: &str, config: &str) -> String {
    let processor = format!(r#""ProcessorConfig":{{{config}}},"StartAt":"B""#);
    map(fields).replace(r#""StartAt":"B""#, &processor)
}

#[test]
fn extension_fields_are_refused_on_the_machine_and_on_states() {
    let code = codes::AWS_EXTENSION;
    let root = r#"{¦"Title":"t","StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
    refused(code, "/Title", root);
    let state = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed",¦"Weight":2}}}"#;
    refused(code, "/States/A/Weight", state);
    let catcher = r#"{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}],"Catch":[{"ErrorEquals":["E"],¦"CountErrors":"ignore","Next":"C"}]},"C":{"Type":"Succeed"}}}"#;
    refused(code, "/States/A/Catch/0/CountErrors", catcher);
    let nested = r#"{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{¦"Title":"b","Type":"Succeed"}}}]}}}"#;
    refused(code, "/States/A/Branches/0/States/B/Title", nested);
}

#[test]
fn job_types_are_refused_and_long_arns_are_too() {
    let bare = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":¦"resize","End":true}}}"#;
    refused(codes::AWS_RESOURCE, "/States/A/Resource", bare);
    let swf = bare.replace("resize", "arn:aws:swf:us-east-1:123456789012:task:X");
    let hint = refused(codes::AWS_RESOURCE, "/States/A/Resource", &swf);
    assert!(hint.contains(":activity:X`"), "{hint}");
    let region = "r".repeat(230);
    let arn = format!("arn:aws:states:{region}:123456789012:activity:x");
    let long = bare.replace("resize", &arn);
    refused(codes::AWS_LIMIT, "/States/A/Resource", &long);
}

#[test]
fn bare_names_of_services_are_refused_with_their_arns() {
    let code = codes::AWS_RESOURCE;
    let start = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":¦"states:startExecution.sync:2","Parameters":{"StateMachineArn.$":"$.child"}}}}"#;
    let hint = refused(code, "/States/A/Resource", start);
    assert!(hint.contains("`arn:aws:states:::states:startExecution.sync:2`"), "{hint}");
    let named = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":"arn:aws:states:::states:startExecution","Parameters":{"StateMachineArn":¦"child"}}}}"#;
    let hint = refused(code, "/States/A/Parameters/StateMachineArn", named);
    assert!(hint.contains(":stateMachine:child`"), "{hint}");
    let callback = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":¦"approve.waitForTaskToken"}}}"#;
    let hint = refused(code, "/States/A/Resource", callback);
    assert!(hint.contains(":activity:approve`"), "{hint}");
    for (name, resource) in [("ItemReader", "s3:listObjectsV2"), ("ResultWriter", "s3:putObject")] {
        let io = format!(r#""{name}":{{"Resource":¦"{resource}","Parameters":{{"Bucket":"b"}}}},"#);
        let map = distributed(&io, r#""Mode":"DISTRIBUTED","ExecutionType":"EXPRESS""#);
        let hint = refused(code, &format!("/States/A/{name}/Resource"), &map);
        assert!(hint.contains(&format!("`arn:aws:states:::{resource}`")), "{hint}");
    }
}

#[test]
fn a_distributed_map_needs_an_execution_type() {
    let pointer = "/States/A/ItemProcessor/ProcessorConfig/Mode";
    refused(codes::AWS_EXECUTION_TYPE, pointer, &distributed("", r#""Mode":¦"DISTRIBUTED""#));
}

#[test]
fn batches_and_tolerance_are_refused_on_inline_maps() {
    let code = codes::AWS_INLINE_MAP;
    refused(code, "/States/A/ItemBatcher", &map(r#"¦"ItemBatcher":{"MaxItemsPerBatch":2},"#));
    let tolerant = map(r#"¦"ToleratedFailurePercentage":5,"#);
    refused(code, "/States/A/ToleratedFailurePercentage", &tolerant);
    assert!(check(&map(""), Format::Json, &Options::default()).is_empty());
}

#[test]
fn operators_that_the_jsonata_of_aws_has_not_are_refused() {
    let of = |expression: &str| {
        format!(
            r#"{{"QueryLanguage":"JSONata","StartAt":"A","States":{{"A":{{"Type":"Task","Resource":"arn:aws:states:::s:a","Arguments":{{"a":["{expression}"]}},"End":true}}}}}}"#
        )
    };
    for operator in ["??", "?:"] {
        let text = of(&format!("{{% $states.input.a {operator} 1 %}}"));
        let text = text.replace("\"{%", "¦\"{%");
        let hint = refused(codes::AWS_JSONATA, "/States/A/Arguments/a/0", &text);
        assert!(hint.contains("$exists"), "{hint}");
    }
    let deep = of("{% $map([1], function($x) { $states.input[$x > (2 ?? 3)].y }) %}");
    refused(codes::AWS_JSONATA, "/States/A/Arguments/a/0", &deep.replace("\"{%", "¦\"{%"));
    for fine in [
        "{% $states.input.a ? 1 : 2 %}",
        "{% $states.input.a ?(1):2 %}",
        "{% 'a ?? b' & 'c ?: d' %}",
        "{% $match('ab', /(?:a)??b/) %}",
        "{% 1 /* ?? */ %}",
        "a ?? b",
    ] {
        let found = check(&of(fine), Format::Json, &Options::default());
        assert!(found.is_empty(), "{fine}: {found:#?}");
    }
    let one = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","QueryLanguage":"JSONata","Comment":"{% 1 ?? 2 %}","Output":¦"{% 1 ?? 2 %}","Next":"B"},"B":{"Type":"Pass","Result":"{% 1 ?? 2 %}","End":true}}}"#;
    refused(codes::AWS_JSONATA, "/States/A/Output", one);
    let nested = r#"{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed","Output":¦"{% 1 ?: 2 %}"}}}]}}}"#;
    refused(codes::AWS_JSONATA, "/States/A/Branches/0/States/B/Output", nested);
}

#[test]
fn fields_about_the_end_of_executions_are_refused() {
    let text = r#"{"OnCancel":"B","CleanupTimeoutSeconds":1,"Summary":{},"StartAt":"A","States":{"A":{"Type":"Pass","Cleanup":"B","End":true},"B":{"Type":"Succeed"}}}"#;
    let found = check(text, Format::Json, &Options::default());
    let found: Vec<(&str, &str)> =
        found.iter().map(|found| (found.code, found.pointer.as_str())).collect();
    let pointers = ["/OnCancel", "/CleanupTimeoutSeconds", "/Summary", "/States/A/Cleanup"];
    assert_eq!(found, pointers.map(|pointer| (codes::AWS_EXTENSION, pointer)));
}

#[test]
fn a_definition_over_the_quota_is_refused() {
    let comment = "c".repeat(1_048_576);
    let text =
        format!(r#"{{"Comment":"{comment}","StartAt":"A","States":{{"A":{{"Type":"Succeed"}}}}}}"#);
    let options = Options { max_bytes: 2 * 1024 * 1024, ..Options::default() };
    for format in [Format::Json, Format::Yaml] {
        let found = check(&text, format, &options);
        let codes: Vec<&str> = found.iter().map(|found| found.code).collect();
        assert_eq!(codes, [codes::AWS_LIMIT]);
    }
}

#[test]
fn what_cannot_be_read_is_left_to_the_other_check() {
    let options = Options::default();
    for text in ["", "{", "[]", "3", r#"{"States":[{"Title":1}]}"#, r#"{"States":{"A":7}}"#] {
        assert!(check(text, Format::Json, &options).is_empty(), "{text}");
    }
}
