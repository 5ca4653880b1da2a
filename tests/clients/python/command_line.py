"""The command line of AWS."""

import json
import os
import subprocess
import sys

from kit import ROLE, test, wait_for


def aws(*arguments):
    """Runs the command line, and gives what it prints."""
    done = ask(*arguments)
    assert done.returncode == 0, f"aws {arguments}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else None


def ask(*arguments):
    """Runs the command line."""
    program = os.path.join(os.path.dirname(sys.executable), "aws")
    command = [program, "stepfunctions", "--output", "json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@test
def the_command_line_of_aws_creates_starts_works_and_reads():
    activity = aws("create-activity", "--name", "cli")["activityArn"]
    definition = json.dumps({"StartAt": "A", "States": {"A": {
        "Type": "Task", "Resource": activity, "HeartbeatSeconds": 60, "End": True}}})
    arn = aws("create-state-machine", "--name", "cli", "--role-arn", ROLE,
              "--definition", definition)["stateMachineArn"]
    execution = aws("start-execution", "--state-machine-arn", arn, "--name", "one",
                    "--input", '{"n": 1}')["executionArn"]

    def take():
        return aws("get-activity-task", "--activity-arn", activity)

    task = take()
    assert json.loads(task["input"]) == {"n": 1}
    token = ["--task-token", task["taskToken"]]
    aws("send-task-heartbeat", *token)
    aws("send-task-failure", *token, "--error", "E", "--cause", "why")
    told = wait_for("a failure", lambda: end_of(execution))
    assert (told["status"], told["error"], told["cause"]) == ("FAILED", "E", "why")
    aws("redrive-execution", "--execution-arn", execution)
    aws("send-task-success", "--task-token", take()["taskToken"], "--task-output", "2")
    told = wait_for("a success", lambda: end_of(execution))
    assert (told["status"], told["output"]) == ("SUCCEEDED", "2")
    # It goes on from page to page by itself.
    events = aws("get-execution-history", "--execution-arn", execution, "--page-size", "2")
    assert events["events"][-1]["type"] == "ExecutionSucceeded"
    listed = aws("list-executions", "--state-machine-arn", arn)["executions"]
    assert [one["name"] for one in listed] == ["one"]


def end_of(execution):
    """How an execution stands, once it has ended."""
    told = aws("describe-execution", "--execution-arn", execution)
    return told if told["status"] != "RUNNING" else None


@test
def the_command_line_of_aws_stops_and_tells_refusals():
    definition = json.dumps({"StartAt": "A", "States": {"A": {
        "Type": "Wait", "Seconds": 100_000, "End": True}}})
    arn = aws("create-state-machine", "--name", "cli-stop", "--role-arn", ROLE,
              "--definition", definition)["stateMachineArn"]
    execution = aws("start-execution", "--state-machine-arn", arn)["executionArn"]
    aws("stop-execution", "--execution-arn", execution, "--cause", "enough")
    told = end_of(execution)
    assert (told["status"], told["cause"]) == ("ABORTED", "enough")
    refused = ask("describe-state-machine", "--state-machine-arn", arn + "x")
    assert refused.returncode != 0 and "StateMachineDoesNotExist" in refused.stderr, refused
