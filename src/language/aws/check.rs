//! Finds what AWS would refuse.

use super::{
    ARGUMENTS, CALLBACK, CATCHER_EXTENSIONS, DISTRIBUTED_ONLY, LONGEST_ARN, LONGEST_DEFINITION,
    MACHINE_EXTENSIONS, READING_AND_WRITING, STATE_EXTENSIONS, is_workflow_name, jsonata,
    starts_execution, swf_task,
};
use crate::language::diagnostic::{Diagnostic, codes, quoted};
use crate::language::read::Options;
use crate::language::source::{self, Content, Fault, Faults, Format, Member, Node, Place, Span};

/// Everything in a definition that runs here but that AWS refuses, in the order of the text. What
/// is refused here too is found by [`crate::language::check`], and not told again.
#[must_use]
pub fn check(text: &str, format: Format, options: &Options) -> Vec<Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut unread = Faults::new(text, options.max_diagnostics);
    let Some(tree) = source::tree(text, format, options, &mut unread) else { return Vec::new() };
    let language = text_of(&tree, "QueryLanguage").map(str::to_owned);
    let mut pass = Pass { faults: Faults::new(text, options.max_diagnostics), language };
    pass.definition(&tree, text, format);
    pass.faults.finish()
}

struct Pass<'t> {
    faults: Faults<'t>,
    /// `QueryLanguage` of the definition.
    language: Option<String>,
}

impl Pass<'_> {
    fn definition(&mut self, tree: &Node, text: &str, format: Format) {
        let root = Place::root();
        // AWS counts the text as it gets it; of YAML it gets the JSON.
        let length = match format {
            Format::Json => text.chars().count(),
            Format::Yaml => tree.to_value().to_string().chars().count(),
        };
        if length > LONGEST_DEFINITION {
            let message = format!(
                "the definition has {length} characters; AWS takes at most {LONGEST_DEFINITION}"
            );
            let span = Span::new(tree.span.start, tree.span.start + 1);
            self.faults.report(
                &root,
                Fault::new(codes::AWS_LIMIT, span, message)
                    .hint("move large data out of the definition, into the execution's input"),
            );
        }
        self.extensions(tree, &root, MACHINE_EXTENSIONS);
        self.machine(tree, &root);
    }

    /// The states of a machine.
    fn machine(&mut self, machine: &Node, place: &Place<'_>) {
        let Some(states) = field(machine, "States") else { return };
        let place = place.key("States");
        for Member { key, node, .. } in members(&states.node) {
            self.state(node, &place.key(key));
        }
    }

    fn state(&mut self, state: &Node, place: &Place<'_>) {
        self.extensions(state, place, STATE_EXTENSIONS);
        if let Some(catch) = field(state, "Catch")
            && let Content::Array(catchers) = &catch.node.content
        {
            let place = place.key("Catch");
            for (index, catcher) in catchers.iter().enumerate() {
                self.extensions(catcher, &place.index(index), CATCHER_EXTENSIONS);
            }
        }
        if jsonata::is_jsonata(text_of(state, "QueryLanguage"), self.language.as_deref()) {
            jsonata::check(state, place, &mut self.faults);
        }
        if let Some(resource) = field(state, "Resource") {
            self.resource(&resource.node, &place.key("Resource"));
            self.started(state, &resource.node, place);
        }
        for name in READING_AND_WRITING {
            let resource = field(state, name).and_then(|io| field(&io.node, "Resource"));
            if let Some(resource) = resource {
                self.bare_integration(&resource.node, &place.key(name).key("Resource"));
            }
        }
        if let Some(branches) = field(state, "Branches")
            && let Content::Array(branches) = &branches.node.content
        {
            let place = place.key("Branches");
            for (index, branch) in branches.iter().enumerate() {
                self.machine(branch, &place.index(index));
            }
        }
        for name in ["ItemProcessor", "Iterator"] {
            if let Some(processor) = field(state, name) {
                self.map(state, &processor.node, place, name);
                self.machine(&processor.node, &place.key(name));
            }
        }
    }

    fn extensions(&mut self, object: &Node, place: &Place<'_>, names: &[&str]) {
        for Member { key, key_span, .. } in members(object) {
            if names.contains(&key.as_str()) {
                let message = format!("`{key}` is a field of Everstep, which AWS refuses");
                let fault = Fault::new(codes::AWS_EXTENSION, *key_span, message)
                    .hint("remove it; `everstep export --aws` does that, and says what is lost");
                self.faults.report(&place.key(key), fault);
            }
        }
    }

    fn resource(&mut self, resource: &Node, place: &Place<'_>) {
        let Content::Text(text) = &resource.content else { return };
        if starts_execution(text) {
            return self.bare_integration(resource, place);
        }
        let activity = |name| format!("arn:aws:states:us-east-1:123456789012:activity:{name}");
        let (code, message, hint) = if let Some(name) = swf_task(text) {
            (
                codes::AWS_RESOURCE,
                format!("{} is a task of SWF, which Step Functions does not run", quoted(text)),
                format!("name an activity, as `{}`", activity(name)),
            )
        } else if text.starts_with("arn:") {
            if text.chars().count() <= LONGEST_ARN {
                return;
            }
            (
                codes::AWS_LIMIT,
                format!("the ARN is longer than {LONGEST_ARN} characters"),
                "give the activity a shorter name".to_owned(),
            )
        } else if let Some(name) = text.strip_suffix(CALLBACK) {
            (
                codes::AWS_RESOURCE,
                format!("{} is a job type, and an activity of AWS has no callback", quoted(text)),
                format!(
                    "name the activity, as `{}`, whose worker can pass its own token on; or a \
                     service, as `arn:aws:states:::sqs:sendMessage{CALLBACK}`",
                    activity(name)
                ),
            )
        } else {
            (
                codes::AWS_RESOURCE,
                format!("{} is a job type; a `Resource` on AWS is an ARN", quoted(text)),
                format!(
                    "name an activity, as `{}`; `everstep export --aws` does that",
                    activity(text)
                ),
            )
        };
        self.faults.report(place, Fault::new(code, resource.span, message).hint(hint));
    }

    /// A name that is the end of an ARN.
    fn bare_integration(&mut self, resource: &Node, place: &Place<'_>) {
        let Content::Text(text) = &resource.content else { return };
        if text.starts_with("arn:") {
            return;
        }
        let message = format!("{} is no ARN; a `Resource` on AWS is one", quoted(text));
        let hint = format!("write `arn:aws:states:::{text}`; `everstep export --aws` does that");
        let fault = Fault::new(codes::AWS_RESOURCE, resource.span, message).hint(hint);
        self.faults.report(place, fault);
    }

    /// The workflow that a Task starts, where it is written down.
    fn started(&mut self, state: &Node, resource: &Node, place: &Place<'_>) {
        if !matches!(&resource.content, Content::Text(text) if starts_execution(text)) {
            return;
        }
        for name in ARGUMENTS {
            let machine =
                field(state, name).and_then(|member| field(&member.node, "StateMachineArn"));
            let Some(machine) = machine.map(|member| &member.node) else { continue };
            let Content::Text(text) = &machine.content else { continue };
            if is_workflow_name(text) {
                let message =
                    format!("{} is the name of a workflow; AWS wants its ARN", quoted(text));
                let hint = format!(
                    "write `arn:aws:states:us-east-1:123456789012:stateMachine:{text}`; \
                     `everstep export --aws` does that"
                );
                let fault = Fault::new(codes::AWS_RESOURCE, machine.span, message).hint(hint);
                self.faults.report(&place.key(name).key("StateMachineArn"), fault);
            }
        }
    }

    /// AWS batches and tolerates failures only in distributed Maps, and wants to be told how the
    /// executions of those run.
    fn map(&mut self, state: &Node, processor: &Node, place: &Place<'_>, name: &str) {
        if let Some(mode) = processor.find("/ProcessorConfig/Mode")
            && matches!(&mode.content, Content::Text(mode) if mode == "DISTRIBUTED")
        {
            if processor.find("/ProcessorConfig/ExecutionType").is_none() {
                let message = "a distributed Map must have an `ExecutionType` on AWS";
                let fault = Fault::new(codes::AWS_EXECUTION_TYPE, mode.span, message).hint(
                    "add `\"ExecutionType\": \"STANDARD\"`; `everstep export --aws` does that",
                );
                let place = place.key(name);
                let place = place.key("ProcessorConfig");
                self.faults.report(&place.key("Mode"), fault);
            }
            return;
        }
        for Member { key, key_span, .. } in members(state) {
            if DISTRIBUTED_ONLY.contains(&key.as_str()) {
                let message = format!("`{key}` is for distributed Maps only on AWS");
                let fault = Fault::new(codes::AWS_INLINE_MAP, *key_span, message).hint(
                    "remove it; or let `everstep export --aws` make the Map distributed there",
                );
                self.faults.report(&place.key(key), fault);
            }
        }
    }
}

fn members(node: &Node) -> &[Member] {
    match &node.content {
        Content::Object(members) => members,
        _ => &[],
    }
}

/// The text of a field, if it is one.
fn text_of<'n>(node: &'n Node, name: &str) -> Option<&'n str> {
    match &field(node, name)?.node.content {
        Content::Text(text) => Some(text),
        _ => None,
    }
}

fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Member> {
    members(node).iter().find(|member| member.key == name)
}
