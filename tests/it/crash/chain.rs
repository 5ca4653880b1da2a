//! The workflow that is killed: tasks in a row, a map, a wait, two branches, and a last task. Every
//! job gives a number computed from its input alone, so that the end shows whether all was well.

use serde_json::{Value, json};

use super::place::Place;

/// The definition's file.
pub(super) const FILE: &str = "chain.yaml";

/// How many jobs one execution has: 3 in a row, 10 of the map, 2 of the branches, 1 at the end.
pub(super) const JOBS: usize = 16;

/// Every Task would retry, which no test may see it do.
const DEFINITION: &str = "\
QueryLanguage: JSONata
StartAt: One
States:
  One: {Type: Task, Resource: step, RETRY, Next: Two}
  Two: {Type: Task, Resource: step, RETRY, Next: Three}
  Three: {Type: Task, Resource: step, RETRY, Next: Each}
  Each:
    Type: Map
    Items: '{% $map([1..10], function($i) { {\"n\": $states.input.n + $i} }) %}'
    MaxConcurrency: 2
    ItemProcessor:
      StartAt: Item
      States:
        Item: {Type: Task, Resource: step, RETRY, End: true}
    Output: '{% {\"n\": $sum($states.result.n)} %}'
    Next: Rest
  Rest: {Type: Wait, Seconds: 1, Next: Both}
  Both:
    Type: Parallel
    Branches:
      - StartAt: Left
        States:
          Left: {Type: Task, Resource: step, RETRY, End: true}
      - StartAt: Right
        States:
          Right:
            Type: Task
            Resource: step
            Arguments: '{% {\"n\": $states.input.n + 1} %}'
            Retry: [{ErrorEquals: [States.ALL], MaxAttempts: 2, IntervalSeconds: 1}]
            End: true
    Output: '{% {\"n\": $sum($states.result.n)} %}'
    Next: Last
  Last: {Type: Task, Resource: step, RETRY, End: true}
";
const RETRY: &str = "Retry: [{ErrorEquals: [States.ALL], MaxAttempts: 2, IntervalSeconds: 1}]";

/// Notes that it began and ended, and takes 20 to 40 ms in between.
const STEP: &str = r#"#!/bin/sh
input=$(cat)
n=${input#*:}
n=${n%\}}
echo "start $EVERSTEP_EXECUTION $EVERSTEP_JOB $EVERSTEP_ATTEMPT" >>"$NOTES"
echo "::progress 50 half of $n" >&2
sleep 0.0$((2 + EVERSTEP_JOB % 3))
echo "done $EVERSTEP_EXECUTION $EVERSTEP_JOB $EVERSTEP_ATTEMPT" >>"$NOTES"
echo "{\"n\":$(((n * 31 + 7) % 10007))}"
"#;

/// A folder in which the workflow can run.
pub(super) fn place() -> Place {
    let place = Place::new();
    place.write(FILE, &DEFINITION.replace("RETRY", RETRY));
    place.write("step.sh", STEP);
    let notes = place.notes_file();
    let config = format!(
        "[jobs.step]\ncommand = [\"/bin/sh\", \"step.sh\"]\nset = {{ NOTES = {notes:?} }}\n"
    );
    place.write("everstep.toml", &config);
    place
}

/// The input `n`, as JSON.
pub(super) fn input(n: u64) -> String {
    json!({ "n": n }).to_string()
}

/// What the workflow gives for the input `n`, computed without it.
pub(super) fn expected(n: u64) -> Value {
    let step = |n: u64| (n * 31 + 7) % 10007;
    let three = step(step(step(n)));
    let each: u64 = (1..=10).map(|item| step(three + item)).sum();
    json!({ "n": step(step(each) + step(each + 1)) })
}
