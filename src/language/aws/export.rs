//! Rewrites a definition into one that AWS takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    ARGUMENTS, CALLBACK, CATCHER_EXTENSIONS, DISTRIBUTED_ONLY, LONGEST_ACTIVITY,
    MACHINE_EXTENSIONS, READING_AND_WRITING, STATE_EXTENSIONS, is_activity_name, is_workflow_name,
    jsonata, starts_execution, swf_task,
};
use crate::language::Workflow;
use crate::language::source::escaped;

/// Where the activities of an exported definition live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    region: String,
    id: String,
}

/// A region or account number that AWS cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is no {what}")]
pub struct BadAccount {
    /// What it should be.
    pub what: &'static str,
    /// What it is.
    pub value: String,
}

impl Account {
    /// The account with this number, of 12 digits, in this region, as `us-east-1`.
    ///
    /// # Errors
    /// One of them does not look as it must.
    pub fn new(region: &str, id: &str) -> Result<Self, BadAccount> {
        let bad = |what, value: &str| BadAccount { what, value: value.to_owned() };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(2..=32).contains(&region.len()) || !region.chars().all(fits) {
            return Err(bad("region, as us-east-1", region));
        }
        if id.len() != 12 || !id.chars().all(|c| c.is_ascii_digit()) {
            return Err(bad("account number of 12 digits", id));
        }
        Ok(Self { region: region.to_owned(), id: id.to_owned() })
    }

    fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    fn activity(&self, name: &str) -> String {
        self.owned("activity", name)
    }

    /// The ARN of something that the account has.
    fn owned(&self, kind: &str, name: &str) -> String {
        format!("arn:{}:states:{}:{}:{kind}:{name}", self.partition(), self.region, self.id)
    }

    /// The ARN of something that AWS does.
    fn integration(&self, name: &str) -> String {
        format!("arn:{}:states:::{name}", self.partition())
    }
}

impl Default for Account {
    /// `us-east-1`, `123456789012`.
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), id: "123456789012".to_owned() }
    }
}

/// A definition for AWS.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The definition.
    pub definition: Value,
    /// What it does not say any more, or says otherwise, in the order of the definition.
    pub losses: Vec<Loss>,
}

/// A change that the export made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Loss {
    /// JSON pointer to the place in the definition that was exported.
    pub pointer: String,
    /// What became of it.
    pub what: String,
}

/// Rewrites a workflow for AWS: extension fields go, job types become activities of `account`,
/// other bare names become ARNs, and Maps with fields that AWS knows only of distributed Maps
/// become distributed.
///
/// The activities have to be created there before the definition is used.
#[must_use]
pub fn export(workflow: &Workflow, account: &Account) -> Export {
    let mut definition = workflow.source.value();
    let language = definition.get("QueryLanguage").and_then(Value::as_str).map(str::to_owned);
    let (names, losses) = (BTreeMap::new(), Vec::new());
    let mut writer = Writer { workflow, account, language, names, losses };
    if let Some(machine) = definition.as_object_mut() {
        writer.strip(machine, "", MACHINE_EXTENSIONS);
        writer.machine(machine, "");
    }
    Export { definition, losses: writer.losses }
}

struct Writer<'a> {
    workflow: &'a Workflow,
    account: &'a Account,
    /// `QueryLanguage` of the definition.
    language: Option<String>,
    /// The activity's name that each job type got.
    names: BTreeMap<String, String>,
    losses: Vec<Loss>,
}

impl Writer<'_> {
    fn lose(&mut self, pointer: String, what: impl Into<String>) {
        self.losses.push(Loss { pointer, what: what.into() });
    }

    fn strip(&mut self, object: &mut Map<String, Value>, pointer: &str, names: &[&str]) {
        for name in names {
            if let Some(value) = object.shift_remove(*name) {
                self.lose(format!("{pointer}/{name}"), format!("removed: {value}"));
            }
        }
    }

    fn machine(&mut self, machine: &mut Map<String, Value>, pointer: &str) {
        let Some(Value::Object(states)) = machine.get_mut("States") else { return };
        self.drop_cleanup(states, pointer);
        for (name, state) in states {
            let name = escaped(name);
            let pointer = format!("{pointer}/States/{name}");
            if let Value::Object(state) = state {
                self.state(state, &pointer);
            }
        }
    }

    /// Without `Cleanup` nothing leads to the states that clean up, and AWS refuses such states.
    fn drop_cleanup(&mut self, states: &mut Map<String, Value>, pointer: &str) {
        let cleans_up = |name: &str| self.workflow.state(name).is_some_and(|state| state.cleans_up);
        let dropped: Vec<String> = states.keys().filter(|name| cleans_up(name)).cloned().collect();
        for name in dropped {
            states.shift_remove(&name);
            let name = escaped(&name);
            self.lose(format!("{pointer}/States/{name}"), "removed: a state that only cleans up");
        }
    }

    fn state(&mut self, state: &mut Map<String, Value>, pointer: &str) {
        self.strip(state, pointer, STATE_EXTENSIONS);
        if let Some(Value::Array(catchers)) = state.get_mut("Catch") {
            let catchers = catchers.iter_mut().enumerate();
            for (index, catcher) in catchers.filter_map(|(i, c)| Some((i, c.as_object_mut()?))) {
                self.strip(catcher, &format!("{pointer}/Catch/{index}"), CATCHER_EXTENSIONS);
            }
        }
        let own = state.get("QueryLanguage").and_then(Value::as_str);
        if jsonata::is_jsonata(own, self.language.as_deref()) {
            jsonata::find(state, pointer, &mut |pointer, what| self.lose(pointer, what));
        }
        self.resource(state, pointer);
        for name in READING_AND_WRITING {
            if let Some(Value::String(resource)) =
                state.get_mut(*name).and_then(|io| io.get_mut("Resource"))
                && !resource.starts_with("arn:")
            {
                let arn = self.account.integration(resource);
                self.replace(resource, arn, format!("{pointer}/{name}/Resource"));
            }
        }
        if let Some(Value::Array(branches)) = state.get_mut("Branches") {
            for (index, branch) in branches.iter_mut().enumerate() {
                if let Value::Object(branch) = branch {
                    self.machine(branch, &format!("{pointer}/Branches/{index}"));
                }
            }
        }
        self.distribute(state, pointer);
        for name in ["ItemProcessor", "Iterator"] {
            if let Some(Value::Object(processor)) = state.get_mut(name) {
                self.machine(processor, &format!("{pointer}/{name}"));
            }
        }
    }

    fn replace(&mut self, text: &mut String, by: String, pointer: String) {
        self.lose(pointer, format!("{text} became {by}"));
        *text = by;
    }

    /// The Resource of a Task, and the workflow that it starts.
    fn resource(&mut self, state: &mut Map<String, Value>, pointer: &str) {
        let Some(Value::String(resource)) = state.get_mut("Resource") else { return };
        let starts = starts_execution(resource);
        let place = format!("{pointer}/Resource");
        if let Some(name) = swf_task(resource) {
            let arn = self.arn(name);
            self.replace(resource, arn, place);
        } else if resource.starts_with("arn:") {
            // It is one already.
        } else if starts {
            let arn = self.account.integration(resource);
            self.replace(resource, arn, place);
        } else if let Some(job_type) = resource.strip_suffix(CALLBACK) {
            let arn = self.arn(job_type);
            let what = format!(
                "{resource} became {arn}: an activity has no callback, so its worker has to \
                 answer, or to pass on the token that it got; there is no `Task.Token` in the \
                 context object"
            );
            self.lose(place, what);
            *resource = arn;
        } else {
            let arn = self.arn(resource);
            self.replace(resource, arn, place);
        }
        if !starts {
            return;
        }
        for name in ARGUMENTS {
            if let Some(Value::String(machine)) =
                state.get_mut(*name).and_then(|arguments| arguments.get_mut("StateMachineArn"))
                && is_workflow_name(machine)
            {
                let arn = self.account.owned("stateMachine", machine);
                self.replace(machine, arn, format!("{pointer}/{name}/StateMachineArn"));
            }
        }
    }

    /// Says how the executions of a Map run that is distributed already; whether it is.
    fn complete(&mut self, state: &mut Map<String, Value>, pointer: &str) -> bool {
        for name in ["ItemProcessor", "Iterator"] {
            let config = state.get_mut(name).and_then(|inside| inside.get_mut("ProcessorConfig"));
            let Some(Value::Object(config)) = config else { continue };
            if config.get("Mode").is_none_or(|mode| mode != "DISTRIBUTED") {
                continue;
            }
            if !config.contains_key("ExecutionType") {
                config.insert("ExecutionType".to_owned(), "STANDARD".into());
                let pointer = format!("{pointer}/{name}/ProcessorConfig");
                self.lose(pointer, "added: \"ExecutionType\": \"STANDARD\"");
            }
            return true;
        }
        false
    }

    /// Makes a Map distributed if it has a field that AWS knows only of such Maps.
    fn distribute(&mut self, state: &mut Map<String, Value>, pointer: &str) {
        if self.complete(state, pointer) {
            return;
        }
        let Some(field) = DISTRIBUTED_ONLY.iter().find(|name| state.contains_key(**name)) else {
            return;
        };
        // The old names do not go with distributed Maps.
        for (old, new) in [("Iterator", "ItemProcessor"), ("Parameters", "ItemSelector")] {
            rename(state, old, new);
        }
        let Some(Value::Object(processor)) = state.get_mut("ItemProcessor") else { return };
        let config = serde_json::json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
        processor.insert("ProcessorConfig".to_owned(), config);
        self.lose(
            pointer.to_owned(),
            format!(
                "became a distributed Map, because of `{field}`: its items run as executions of \
                 their own, which do not see the variables around them"
            ),
        );
    }

    /// The ARN of the activity that stands for a job type.
    fn arn(&mut self, job_type: &str) -> String {
        if let Some(name) = self.names.get(job_type) {
            return self.account.activity(name);
        }
        let mut name = job_type.to_owned();
        let mut count = 1;
        while !is_activity_name(&name) || self.names.values().any(|taken| *taken == name) {
            let suffix = if count > 1 { format!("-{count}") } else { String::new() };
            let room = LONGEST_ACTIVITY - suffix.len();
            name = job_type.replace(':', "-").chars().take(room).collect::<String>() + &suffix;
            count += 1;
        }
        self.names.insert(job_type.to_owned(), name.clone());
        self.account.activity(&name)
    }
}

/// Renames a field and keeps its place.
fn rename(object: &mut Map<String, Value>, old: &str, new: &str) {
    if object.contains_key(old) && !object.contains_key(new) {
        let fields = std::mem::take(object);
        let renamed = |(key, value)| (if key == old { new.to_owned() } else { key }, value);
        object.extend(fields.into_iter().map(renamed));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::language::{self, Format, Options, aws};

    fn exported(definition: &Value) -> Export {
        let options = Options::default();
        let workflow = language::parse(&definition.to_string(), Format::Json, &options).unwrap();
        let export = export(&workflow, &Account::default());
        let left = aws::check(&export.definition.to_string(), Format::Json, &options);
        assert!(left.is_empty(), "AWS would still refuse: {left:#?}");
        export
    }

    #[test]
    fn an_exported_definition_has_nothing_that_aws_refuses() {
        let inner = |name: &str| {
            json!({"StartAt": name, "States": {name: {
                "Type": "Task", "Resource": "work", "Title": "T", "Weight": 3, "End": true}}})
        };
        let export = exported(&json!({
            "Title": "All", "StartAt": "a/b", "States": {
                "a/b": {"Type": "Parallel", "Weight": 0, "Branches": [inner("B0"), inner("B1")],
                    "Next": "Map"},
                "Map": {"Type": "Map", "ItemsPath": "$.list", "Iterator": inner("I"),
                    "Parameters": {"x.$": "$$.Map.Item.Value"},
                    "ItemBatcher": {"MaxItemsPerBatch": 2}, "Next": "Plain"},
                "Plain": {"Type": "Map", "ItemProcessor": inner("P"), "End": true}
            }
        }));
        let text = export.definition.to_string();
        assert!(!text.contains("\"Title\"") && !text.contains("\"Weight\""), "{text}");
        let map = &export.definition["States"]["Map"];
        assert_eq!(map["ItemProcessor"]["ProcessorConfig"]["Mode"], "DISTRIBUTED");
        assert!(map.get("Iterator").is_none() && map.get("ItemSelector").is_some());
        assert!(
            export.definition["States"]["Plain"]["ItemProcessor"].get("ProcessorConfig").is_none()
        );
        let pointers: Vec<&str> = export.losses.iter().map(|loss| &*loss.pointer).collect();
        for expected in [
            "/Title",
            "/States/a~1b/Weight",
            "/States/a~1b/Branches/1/States/B1/Title",
            "/States/Map",
            "/States/Plain/ItemProcessor/States/P/Resource",
        ] {
            assert!(pointers.contains(&expected), "{expected} is not in {pointers:?}");
        }
    }

    #[test]
    fn bare_names_become_the_arns_that_aws_knows() {
        let map = |name: &str, config: Value| {
            json!({"Type": "Map", "Next": name, "ToleratedFailureCount": 1,
                "ItemReader": {"Resource": "s3:listObjectsV2", "Parameters": {"Bucket": "in"}},
                "ResultWriter": {"Resource": "s3:putObject", "Parameters": {"Bucket": "out"}},
                "ItemProcessor": {"ProcessorConfig": config, "StartAt": format!("In {name}"),
                    "States": {format!("In {name}"): {"Type": "Succeed"}}}})
        };
        let export = exported(&json!({"StartAt": "Ask", "States": {
            "Ask": {"Type": "Task", "Resource": "approve.waitForTaskToken", "Next": "Start"},
            "Start": {"Type": "Task", "Resource": "states:startExecution.sync:2", "Next": "Map",
                "Parameters": {"StateMachineArn": "child"}},
            "Map": map("Express", json!({"Mode": "DISTRIBUTED"})),
            "Express": map("End", json!({"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"})),
            "End": {"Type": "Succeed"}}}));
        for (pointer, expected) in [
            ("/Ask/Resource", "arn:aws:states:us-east-1:123456789012:activity:approve"),
            ("/Start/Resource", "arn:aws:states:::states:startExecution.sync:2"),
            (
                "/Start/Parameters/StateMachineArn",
                "arn:aws:states:us-east-1:123456789012:stateMachine:child",
            ),
            ("/Map/ItemReader/Resource", "arn:aws:states:::s3:listObjectsV2"),
            ("/Map/ResultWriter/Resource", "arn:aws:states:::s3:putObject"),
            ("/Map/ItemProcessor/ProcessorConfig/ExecutionType", "STANDARD"),
            ("/Express/ItemProcessor/ProcessorConfig/ExecutionType", "EXPRESS"),
        ] {
            let found = export.definition["States"].pointer(pointer).unwrap();
            assert_eq!(found, expected, "{pointer}");
        }
        assert_eq!(export.losses.len(), 8, "{:#?}", export.losses);
        assert!(export.losses[0].what.contains("no callback"));
    }

    #[test]
    fn a_task_of_swf_becomes_an_activity() {
        let task = |resource: &str| json!({"Type": "Task", "Resource": resource, "End": true});
        let export = exported(&json!({"StartAt": "A", "States": {
            "A": task("arn:aws:swf:us-east-1:123456789012:task:X")}}));
        let activity = "arn:aws:states:us-east-1:123456789012:activity:X";
        assert_eq!(export.definition["States"]["A"], task(activity));
    }

    #[test]
    fn a_definition_without_extensions_is_exported_as_it_is() {
        let definition = json!({"StartAt": "A", "States": {
            "A": {"Type": "Task", "Next": "B",
                "Resource": "arn:aws:states:eu-west-1:123456789012:activity:resize"},
            "B": {"Type": "Task", "Next": "C", "Resource": "arn:aws:states:::ecs:runTask.sync"},
            "C": {"Type": "Task", "End": true,
                "Resource": "arn:aws:states:::states:startExecution",
                "Parameters": {"StateMachineArn.$": "$.child"}}}});
        let export = exported(&definition);
        assert_eq!((export.definition, export.losses), (definition, Vec::new()));
    }

    #[test]
    fn what_cleans_up_is_removed_and_told() {
        let arn = "arn:aws:states:us-east-1:123456789012:activity:x";
        let task = |more: Value| {
            let mut task = json!({"Type": "Task", "Resource": arn, "End": true});
            task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            task
        };
        let processor = |states: Value| {
            json!({"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "I", "States": states})
        };
        let map =
            |states: Value| json!({"Type": "Map", "ItemProcessor": processor(states), "End": true});
        let mut whole = map(json!({"I": task(json!({"Cleanup": "V"})), "V": task(json!({}))}));
        whole["Cleanup"] = json!("U/1");
        let export = exported(&json!({"StartAt": "A", "OnCancel": "W", "CleanupTimeoutSeconds": 9,
            "Summary": {"a.$": "$.status"},
            "States": {"A": whole, "U/1": task(json!({})), "W": {"Type": "Succeed"}}}));
        let plain = json!({"StartAt": "A", "States": {"A": map(json!({"I": task(json!({}))}))}});
        assert_eq!(export.definition, plain);
        let lost: Vec<&str> = export.losses.iter().map(|loss| loss.pointer.as_str()).collect();
        assert_eq!(
            lost,
            [
                "/CleanupTimeoutSeconds",
                "/OnCancel",
                "/Summary",
                "/States/U~11",
                "/States/W",
                "/States/A/Cleanup",
                "/States/A/ItemProcessor/States/V",
                "/States/A/ItemProcessor/States/I/Cleanup",
            ]
        );
    }

    #[test]
    fn expressions_that_aws_cannot_read_are_kept_and_told() {
        let options = Options::default();
        let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A/B", "States": {
            "A/B": {"Type": "Succeed", "Output": {"x": ["{% $states.input.a ?? 1 %}"]}}}});
        let workflow = language::parse(&definition.to_string(), Format::Json, &options).unwrap();
        let export = export(&workflow, &Account::default());
        assert_eq!(export.definition, definition);
        let [loss] = export.losses.as_slice() else { panic!("{:#?}", export.losses) };
        assert_eq!(loss.pointer, "/States/A~1B/Output/x/0");
        assert!(loss.what.starts_with("kept, but AWS has JSONata 2.0.6"), "{}", loss.what);
    }

    #[test]
    fn job_types_become_activities_that_aws_can_name() {
        let task = |resource: &str, next: &str| json!({"Type": "Task", "Resource": resource, "Next": next});
        let long = "x".repeat(90);
        let export = exported(&json!({"StartAt": "A", "States": {
            "A": task("a-b", "B"), "B": task("a:b", "C"), "C": task("a:b", "D"),
            "D": task(&long, "E"), "E": {"Type": "Succeed"}}}));
        let name = |state: &str| {
            let arn = export.definition["States"][state]["Resource"].as_str().unwrap().to_owned();
            arn.strip_prefix("arn:aws:states:us-east-1:123456789012:activity:").unwrap().to_owned()
        };
        assert_eq!([name("A"), name("B"), name("C")], ["a-b", "a-b-2", "a-b-2"]);
        assert_eq!(name("D"), "x".repeat(80));
    }

    #[test]
    fn accounts_and_regions_are_checked() {
        let chinese = Account::new("cn-north-1", "000000000000").unwrap();
        assert!(chinese.activity("a").starts_with("arn:aws-cn:states:cn-north-1:000000000000:"));
        assert_eq!(chinese.integration("s3:getObject"), "arn:aws-cn:states:::s3:getObject");
        assert!(Account::new("us east", "000000000000").is_err());
        assert!(Account::new("us-east-1", "12345678901x").is_err());
        assert!(Account::new("us-east-1", "1234567890123").is_err());
    }
}
