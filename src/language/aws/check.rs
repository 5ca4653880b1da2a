//! Finds what AWS would refuse.

use super::{
    DISTRIBUTED_ONLY, LONGEST_ARN, LONGEST_DEFINITION, MACHINE_EXTENSIONS, STATE_EXTENSIONS,
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
    let mut pass = Pass { faults: Faults::new(text, options.max_diagnostics) };
    pass.definition(&tree, text, format);
    pass.faults.finish()
}

struct Pass<'t> {
    faults: Faults<'t>,
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
        if let Some(resource) = field(state, "Resource") {
            self.resource(&resource.node, &place.key("Resource"));
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
                self.inline_map(state, &processor.node, place);
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
        let (code, message, hint) = if !text.starts_with("arn:") {
            (
                codes::AWS_RESOURCE,
                format!("{} is a job type; a `Resource` on AWS is an ARN", quoted(text)),
                format!(
                    "name an activity, as `arn:aws:states:us-east-1:123456789012:activity:{text}`; \
                     `everstep export --aws` does that"
                ),
            )
        } else if text.chars().count() > LONGEST_ARN {
            (
                codes::AWS_LIMIT,
                format!("the ARN is longer than {LONGEST_ARN} characters"),
                "give the activity a shorter name".to_owned(),
            )
        } else {
            return;
        };
        self.faults.report(place, Fault::new(code, resource.span, message).hint(hint));
    }

    /// AWS batches and tolerates failures only in distributed Maps.
    fn inline_map(&mut self, state: &Node, processor: &Node, place: &Place<'_>) {
        let mode = processor.find("/ProcessorConfig/Mode").map(|mode| &mode.content);
        if matches!(mode, Some(Content::Text(mode)) if mode == "DISTRIBUTED") {
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

fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Member> {
    members(node).iter().find(|member| member.key == name)
}
