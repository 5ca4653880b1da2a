//! Fields of Task states.

use super::faults::{one, one_jsonata};
use super::{both, check_json, expect, unmarked};
use crate::language::Format;
use crate::language::diagnostic::codes;

#[test]
fn credentials_have_a_role_and_no_effect() {
    let json = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,"Resource":"r",¦"Credentials":{"RoleArn":"arn:aws:iam::111111111111:role/r"}}}}"#;
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Task\n    End: true\n    Resource: r\n    ¦Credentials: {RoleArn: 'arn:aws:iam::111111111111:role/r'}\n";
    both(codes::NO_EFFECT, "/States/A/Credentials", json, yaml);
    let task = |rest: &str| format!(r#""Type":"Task","Resource":"r","End":true,{rest}"#);
    for role in ["$.role", "$role", "$$.Execution.Input.role", "States.Format('{}', $.role)"] {
        let fields = task(&format!(r#"¦"Credentials":{{"RoleArn.$":"{role}"}}"#));
        expect(&one(&fields), Format::Json, codes::NO_EFFECT);
    }
    let query = task(r#"¦"Credentials":{"RoleArn":"{% $states.input.role %}"}"#);
    expect(&one_jsonata(&query), Format::Json, codes::NO_EFFECT);
    let whole = task(r#"¦"Credentials":"{% $states.input %}""#);
    expect(&one_jsonata(&whole), Format::Json, codes::NO_EFFECT);
    for (code, fields) in [
        (codes::MISSING_FIELD, r#"¦"Credentials":{}"#),
        (codes::TYPE, r#""Credentials":¦"role""#),
        (codes::TYPE, r#""Credentials":{"RoleArn":¦1}"#),
        (codes::EXPRESSION, r#""Credentials":{"RoleArn.$":"$.a[¦"}"#),
    ] {
        let text = one(&task(fields));
        let (text, line, column) = unmarked(&text);
        let found = check_json(&text).diagnostics;
        let first = found.iter().find(|found| found.code != codes::NO_EFFECT).unwrap();
        assert_eq!((first.code, first.line, first.column), (code, line, column), "{fields}");
    }
    let pass = r#""Type":"Pass","End":true,¦"Credentials":{"RoleArn":"r"}"#;
    expect(&one(pass), Format::Json, codes::FIELD_NOT_ALLOWED);
}
