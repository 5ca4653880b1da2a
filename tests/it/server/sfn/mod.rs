//! The Step Functions wire API, as SDKs of AWS speak it.

mod access;
mod activities;
mod aliases;
mod executions;
mod machines;
mod restart;
mod wire;

use serde_json::{Value, json};

use super::client::{Answer, Request};
use super::{Server, pass, wait};

/// The content type of the wire.
const WIRE: &str = "application/x-amz-json-1.0";

impl Server {
    /// A request for an operation that is not sent yet.
    fn operation(&self, name: &str, input: &Value) -> Request {
        self.request("POST", "/")
            .header("x-amz-target", &format!("AWSStepFunctions.{name}"))
            .body(WIRE, input.to_string().as_bytes())
    }

    /// What an operation gives.
    fn aws(&self, name: &str, input: Value) -> Value {
        let answer = self.operation(name, &input).send();
        assert_eq!(answer.status, 200, "{name} {input}: {answer:?}");
        checked(&answer)
    }

    /// The name of what an operation refuses with, and its words.
    fn aws_refuses(&self, name: &str, input: Value) -> (String, String) {
        let answer = self.operation(name, &input).send();
        assert_eq!(answer.status, 400, "{name} {input}: {answer:?}");
        refusal(&answer)
    }

    /// The name alone.
    fn aws_error(&self, name: &str, input: Value) -> String {
        self.aws_refuses(name, input).0
    }

    /// Creates a machine, and gives its ARN.
    fn machine(&self, name: &str, definition: &Value) -> String {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": "arn:r"});
        text(&self.aws("CreateStateMachine", input)["stateMachineArn"])
    }
}

/// The document of an answer, which has all that answers have.
fn checked(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some(WIRE), "{answer:?}");
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36), "{answer:?}");
    answer.json()
}

/// The name of a refusal, and its words.
fn refusal(answer: &Answer) -> (String, String) {
    let told = checked(answer);
    (text(&told["__type"]), text(&told["message"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The texts of one member of every entry of a list.
fn texts(list: &Value, member: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| text(&entry[member])).collect()
}

/// All pages of a list, one entry each, put together.
fn pages(server: &Server, operation: &str, input: &Value, list: &str) -> Vec<Value> {
    let mut input = input.clone();
    input["maxResults"] = json!(1);
    let mut all = Vec::new();
    loop {
        let page = server.aws(operation, input.clone());
        let entries = page[list].as_array().unwrap();
        assert!(entries.len() <= 1, "{page}");
        all.extend(entries.clone());
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return all,
        }
    }
}
