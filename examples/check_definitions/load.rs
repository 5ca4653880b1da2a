//! From files to the texts of definitions: placeholders filled in, templates unwrapped.
//!
//! A placeholder `${Name}` is what a template or a program puts in when it deploys. It becomes:
//!
//! - in a `Resource`: the ARN of the Lambda function `Name`, with an end of `Arn` taken off;
//! - where a `StateMachineArn` is asked for: the ARN of the state machine `Name`;
//! - `AWS::Partition`, `AWS::Region`, `AWS::AccountId` and names that end like them: `aws`,
//!   `us-east-1`, `123456789012`;
//! - where a number is asked for, as in `Seconds`: 1;
//! - anywhere else: its own name.
//!
//! `<Name>` in a `Resource` becomes an ARN too. A template of AWS SAM or CloudFormation holds a
//! definition where it has an indented `Definition:` or `DefinitionString:`; tags such as `!GetAtt`
//! are filled in like placeholders.

use std::path::Path;

use everstep::language::Format;

use super::Failure;

/// The text of a definition.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) format: Format,
}

/// The definitions in a file.
pub(super) fn texts(path: &Path) -> Result<Vec<Text>, Failure> {
    let Some(format) = Format::of_path(path) else { return Ok(Vec::new()) };
    let Ok(text) = String::from_utf8(std::fs::read(path)?) else { return Ok(Vec::new()) };
    if is_definition(&text) {
        return Ok(vec![Text { text: fill(&text), format }]);
    }
    if format == Format::Json {
        return Ok(Vec::new());
    }
    Ok(embedded(&text).iter().map(|text| wrapped(text)).collect())
}

/// Whether the outermost object has `StartAt` and `States`.
fn is_definition(text: &str) -> bool {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        return value.get("StartAt").is_some() && value.get("States").is_some();
    }
    // YAML has them at the very left; broken JSON has them somewhere.
    let broken = text.trim_start().starts_with('{') && text.contains("\"StartAt\"");
    let starts = |name: &str| {
        text.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    };
    broken || (starts("StartAt") && starts("States"))
}

fn wrapped(text: &str) -> Text {
    let format = if text.trim_start().starts_with('{') { Format::Json } else { Format::Yaml };
    let text: Vec<String> = text.lines().map(without_tag).collect();
    Text { text: fill(&text.join("\n")), format }
}

/// The indented blocks below `Definition:` and `DefinitionString:`.
fn embedded(text: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let key = line.trim_start();
        if !key.starts_with("Definition:") && !key.starts_with("DefinitionString:") {
            continue;
        }
        let rest = lines.get(index + 1..).unwrap_or_default();
        let inside = |inner: &&&str| inner.trim().is_empty() || indent(inner) > indent(line);
        let block: Vec<&str> = rest.iter().take_while(inside).copied().collect();
        let filled = block.iter().filter(|line| !line.trim().is_empty());
        let margin = filled.map(|line| indent(line)).min().unwrap_or(0);
        let block: Vec<&str> =
            block.iter().map(|line| line.get(margin..).unwrap_or_default()).collect();
        // A text may begin with its tag on a line of its own.
        let tagged = block.first().is_some_and(|line| line.starts_with("!Sub"));
        let block = block.get(usize::from(tagged)..).unwrap_or_default().join("\n");
        if block.contains("StartAt") {
            found.push(block);
        }
    }
    found
}

/// `Key: !GetAtt Name.Arn` as `Key: "${Name}"`.
fn without_tag(line: &str) -> String {
    for tag in ["!GetAtt ", "!Ref ", "!Sub "] {
        if let Some((before, name)) = line.split_once(tag) {
            if name.starts_with(['>', '|']) {
                return format!("{before}{name}");
            }
            let name = name.trim().trim_matches(['"', '\'']);
            let name = name.split('.').next().unwrap_or(name);
            let filled = if name.contains("${") { name.to_owned() } else { format!("${{{name}}}") };
            return format!("{before}\"{filled}\"");
        }
    }
    line.to_owned()
}

/// Fills in placeholders.
fn fill(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(fill_line).collect();
    lines.join("\n")
}

fn fill_line(line: &str) -> String {
    let mut filled = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let name = after.split_once('}').filter(|(name, _)| is_name(name));
        let Some((name, after)) = name else {
            filled.push_str("${");
            rest = after;
            continue;
        };
        // Where the whole value is a placeholder, its key says what it should be.
        let start = before.trim().trim_end_matches('"').trim_end();
        let alone = start.strip_suffix(':').is_some_and(|key| !key.contains(':'))
            && after.trim_end().trim_end_matches(',').trim_matches('"').is_empty();
        let key = if alone { key_of(line) } else { "" };
        filled.push_str(&value(key, name));
        rest = after;
    }
    filled.push_str(rest);
    if key_of(&filled) == "Resource"
        && let Some((before, after)) = filled.split_once("\"<")
        && let Some((name, after)) = after.split_once(">\"")
    {
        return format!("{before}\"{}\"{after}", value("Resource", name));
    }
    filled
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c))
}

/// The key of a line such as `"Resource": "…"`.
fn key_of(line: &str) -> &str {
    let start = line.trim_start().trim_start_matches("- ").trim_start_matches('{').trim_start();
    start.split(':').next().unwrap_or_default().trim().trim_matches('"')
}

fn value(key: &str, name: &str) -> String {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric() || "_-".contains(*c)).collect();
    let short = plain.strip_suffix("Arn").or(plain.strip_suffix("ARN")).unwrap_or(&plain);
    let lower = plain.to_lowercase();
    if key == "Resource" {
        return format!("arn:aws:lambda:us-east-1:123456789012:function:{short}");
    }
    if key == "StateMachineArn" {
        return format!("arn:aws:states:us-east-1:123456789012:stateMachine:{short}");
    }
    if matches!(key, "Seconds" | "TimeoutSeconds" | "HeartbeatSeconds" | "MaxConcurrency") {
        return "1".to_owned();
    }
    for (end, value) in
        [("partition", "aws"), ("region", "us-east-1"), ("accountid", "123456789012")]
    {
        if lower.ends_with(end) {
            return value.to_owned();
        }
    }
    plain
}
