//! Pictures of one workflow that has everything.

use super::{dot, mermaid, text};
use crate::language::{Format, Options, Workflow, parse};

const DEFINITION: &str = r#"
Title: Import
StartAt: Fetch
States:
  Fetch:
    Type: Task
    Title: Fetch "all" <files>
    Resource: fetch
    Catch: [{ErrorEquals: [States.ALL], Next: Failed}]
    Next: Enough?
  Enough?:
    Type: Choice
    Choices: [{Variable: $.n, NumericLessThan: 1, Next: Pause}]
    Default: Each
  Pause: {Type: Wait, Seconds: 5, Next: Fetch}
  Each:
    Type: Map
    ItemProcessor:
      StartAt: One
      States:
        One: {Type: Task, Resource: import, End: true}
    Next: Both
  Both:
    Type: Parallel
    Branches:
    - {StartAt: Index, States: {Index: {Type: Pass, End: true}}}
    - {StartAt: Notify, States: {Notify: {Type: Succeed}}}
    End: true
  Failed: {Type: Fail}
"#;

fn workflow() -> Workflow {
    parse(DEFINITION, Format::Yaml, &Options::default()).unwrap()
}

#[test]
fn the_text_shows_ways_and_nested_machines() {
    let expected = r#"Import
▶ Fetch [Task fetch] "Fetch "all" <files>" → Enough?
    on any error → Failed
· Enough? [Choice]
    if $.n < 1 → Pause
    otherwise → Each
· Pause [Wait] → Fetch
· Each [Map] → Both
    for each item:
      ▶ One [Task import] → end
· Both [Parallel] → end
    branch 1:
      ▶ Index [Pass] → end
    branch 2:
      ▶ Notify [Succeed]
· Failed [Fail]
"#;
    assert_eq!(text(&workflow()), expected);
}

#[test]
fn executions_and_callbacks_are_told_from_jobs() {
    let definition = r"
StartAt: Approve
States:
  Approve: {Type: Task, Resource: ask.waitForTaskToken, Next: Start}
  Start:
    Type: Task
    Resource: states:startExecution
    Parameters: {StateMachineArn: child}
    Next: Run
  Run:
    Type: Task
    Resource: arn:aws:states:::states:startExecution.sync:2
    Parameters: {StateMachineArn: child}
    Next: Each
  Each:
    Type: Map
    ItemBatcher: {MaxItemsPerBatch: 2}
    ItemProcessor:
      ProcessorConfig: {Mode: DISTRIBUTED}
      StartAt: One
      States: {One: {Type: Succeed}}
    End: true
";
    let workflow = parse(definition, Format::Yaml, &Options::default()).unwrap();
    let expected = "\
▶ Approve [Task ask (waits for its token)] → Start
· Start [Task states:startExecution] → Run
· Run [Task states:startExecution (waits for its end)] → Each
· Each [Map (distributed)] → end
    an execution for each batch:
      ▶ One [Succeed]
";
    assert_eq!(text(&workflow), expected);
    for line in [
        "  s0[\"Approve<br/>Task ask (waits for its token)\"]",
        "  subgraph s3[\"Each<br/>Map (distributed)\"]",
        "    subgraph s3_0[\"an execution for each batch\"]",
    ] {
        assert!(mermaid(&workflow).lines().any(|found| found == line), "{line}");
    }
    let graph = dot(&workflow);
    assert!(graph.contains("label=\"Run\\nTask states:startExecution (waits for its end)\""));
    assert!(graph.contains("label=\"an execution for each batch\""), "{graph}");
}

#[test]
fn the_flowchart_has_subgraphs_and_escaped_labels() {
    let chart = mermaid(&workflow());
    for line in [
        "  s0[\"Fetch #34;all#34; #60;files#62;<br/>Task fetch\"]",
        "  s1{\"Enough?<br/>Choice\"}",
        "  s1 -->|\"$.n #60; 1\"| s2",
        "  s0 -.->|\"any error\"| s8",
        "  subgraph s3[\"Each<br/>Map\"]",
        "    subgraph s3_0[\"for each item\"]",
        "      s4[\"One<br/>Task import\"]",
        "      s4 --> s3_0_end",
        "  s5 --> root_end",
    ] {
        assert!(chart.lines().any(|found| found == line), "{line}\n{chart}");
    }
    let count = |start: &str| chart.lines().filter(|l| l.trim().starts_with(start)).count();
    assert_eq!(count("subgraph "), chart.lines().filter(|l| l.trim() == "end").count());
}

#[test]
fn the_graph_has_clusters_and_escaped_labels() {
    let graph = dot(&workflow());
    for line in [
        "  s0 [label=\"Fetch \\\"all\\\" <files>\\nTask fetch\"];",
        "  s1 -> s3 [lhead=cluster_s3, label=\"otherwise\"];",
        "  s0 -> s8 [style=dashed, label=\"any error\"];",
        "  subgraph cluster_s3 {",
        "  s3 -> s5 [lhead=cluster_s5, ltail=cluster_s3];",
        "      s4 -> s3_0_end;",
    ] {
        assert!(graph.lines().any(|found| found == line), "{line}\n{graph}");
    }
    let opened = graph.lines().filter(|line| line.ends_with('{')).count();
    assert_eq!(opened, graph.lines().filter(|line| line.trim() == "}").count());
}

#[test]
fn what_cleans_up_hangs_on_dashed_lines() {
    let definition = r"
StartAt: A
OnCancel: Tell
States:
  A: {Type: Task, Resource: make, Cleanup: Undo, End: true}
  Undo: {Type: Task, Resource: unmake, End: true}
  Tell: {Type: Succeed}
";
    let workflow = parse(definition, Format::Yaml, &Options::default()).unwrap();
    let expected = "\
▶ A [Task make] → end
    on clean-up → Undo
· Undo [Task unmake] → end
· Tell [Succeed]
on cancel → Tell
";
    assert_eq!(text(&workflow), expected);
    let chart = mermaid(&workflow);
    for line in ["  s0 -.->|\"clean-up\"| s1", "  root_start -.->|\"on cancel\"| s2"] {
        assert!(chart.lines().any(|found| found == line), "{line}\n{chart}");
    }
    let graph = dot(&workflow);
    for line in [
        "  s0 -> s1 [style=dashed, label=\"clean-up\"];",
        "  root_start -> s2 [style=dashed, label=\"on cancel\"];",
    ] {
        assert!(graph.lines().any(|found| found == line), "{line}\n{graph}");
    }
}
