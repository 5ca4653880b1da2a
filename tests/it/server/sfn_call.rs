//! Requests of the Step Functions API.

use serde_json::{Value, json};

use super::Server;

/// The ARN of something.
pub(super) fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:states:us-east-1:000000000000:{kind}:{name}")
}

/// Asks by the Step Functions API.
pub(super) trait Sfn {
    /// What an operation gives, or the name of its refusal.
    fn sfn(&self, operation: &str, input: &Value) -> Result<Value, String>;
    /// What an operation refuses, in words.
    fn sfn_refusal(&self, operation: &str, input: &Value) -> String;
}

impl Sfn for Server {
    fn sfn(&self, operation: &str, input: &Value) -> Result<Value, String> {
        let answer = ask(self, operation, input);
        if answer.status == 200 {
            return Ok(answer.json());
        }
        let refusal = answer.json();
        Err(refusal["__type"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned())
    }

    fn sfn_refusal(&self, operation: &str, input: &Value) -> String {
        let refusal = ask(self, operation, input).json();
        format!("{}: {}", refusal["__type"].as_str().unwrap(), refusal["message"].as_str().unwrap())
    }
}

fn ask(server: &Server, operation: &str, input: &Value) -> super::client::Answer {
    let target = format!("AWSStepFunctions.{operation}");
    let request = server.request("POST", "/").header("x-amz-target", &target);
    request.body("application/x-amz-json-1.0", input.to_string().as_bytes()).send()
}

/// Creates a machine.
pub(super) fn create(server: &Server, name: &str, definition: &Value) {
    create_as(server, name, definition, "STANDARD");
}

pub(super) fn create_as(server: &Server, name: &str, definition: &Value, kind: &str) {
    let asked = json!({"name": name, "definition": definition.to_string(), "type": kind,
        "roleArn": "arn:aws:iam::000000000000:role/r"});
    server.sfn("CreateStateMachine", &asked).unwrap();
}
