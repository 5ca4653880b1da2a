"""Drives a running server with unmodified boto3, and holds its operations against botocore's model.

usage: drive.py URL

Prints a line for each test, and "N passed, N failed" at the end.
"""

import json
import sys
import time
import traceback
import urllib.request

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
ROLE = "arn:aws:iam::000000000000:role/any"
client = boto3.client(
    "stepfunctions",
    endpoint_url=URL,
    region_name="us-east-1",
    aws_access_key_id="AKID",
    aws_secret_access_key="any",
    # Two operations are otherwise asked for at another host; a poll takes a minute.
    config=Config(inject_host_prefix=False, read_timeout=70),
)


def machine(name, states, start, **more):
    definition = json.dumps({"StartAt": start, "States": states})
    made = client.create_state_machine(name=name, definition=definition, roleArn=ROLE, **more)
    return made["stateMachineArn"]


def ended(execution):
    for _ in range(600):
        told = client.describe_execution(executionArn=execution)
        if told["status"] != "RUNNING":
            return told
        time.sleep(0.05)
    raise AssertionError(f"{execution} does not end")


def refused(code, operation, **members):
    try:
        operation(**members)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{code} was expected")


def a_worker_takes_fails_and_completes_tasks():
    activity = client.create_activity(name="resize")["activityArn"]
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    task = {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 60, "Retry": retry, "End": True}
    execution = client.start_execution(
        stateMachineArn=machine("worker", {"A": task}, "A"), name="one", input='{"n":1}'
    )["executionArn"]
    first = client.get_activity_task(activityArn=activity, workerName="boto3")
    assert json.loads(first["input"]) == {"n": 1}
    client.send_task_heartbeat(taskToken=first["taskToken"])
    client.send_task_failure(taskToken=first["taskToken"], error="Again", cause="not yet")
    second = client.get_activity_task(activityArn=activity, workerName="boto3")
    client.send_task_success(taskToken=second["taskToken"], output="[7]")
    told = ended(execution)
    assert (told["status"], told["output"]) == ("SUCCEEDED", "[7]"), told
    refused("TaskTimedOut", client.send_task_success, taskToken=first["taskToken"], output="8")
    events = client.get_execution_history(executionArn=execution)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    types = [event["type"] for event in events if event["type"].startswith("Activity")]
    assert types == [
        "ActivityScheduled", "ActivityStarted", "ActivityFailed",
        "ActivityScheduled", "ActivityStarted", "ActivitySucceeded",
    ], types  # fmt: skip


def a_start_by_name_is_repeated_and_not_doubled():
    wait = machine("wait", {"A": {"Type": "Wait", "Seconds": 3600, "End": True}}, "A")
    start = dict(stateMachineArn=wait, name="same", input="{}")
    first = client.start_execution(**start)["executionArn"]
    assert client.start_execution(**start)["executionArn"] == first
    refused("ExecutionAlreadyExists", client.start_execution, **{**start, "input": "[1]"})
    client.stop_execution(executionArn=first, error="Enough", cause="of this")
    told = ended(first)
    assert (told["status"], told["error"], told["cause"]) == ("ABORTED", "Enough", "of this"), told
    client.redrive_execution(executionArn=first)
    told = client.describe_execution(executionArn=first)
    assert (told["status"], told["redriveCount"]) == ("RUNNING", 1), told
    client.stop_execution(executionArn=first)


def versions_and_aliases_share_the_starts():
    one = machine("versions", {"A": {"Type": "Pass", "Result": 1, "End": True}}, "A", publish=True)
    two = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 2, "End": True}}})
    client.update_state_machine(stateMachineArn=one, definition=two, publish=True)
    listed = client.list_state_machine_versions(stateMachineArn=one)["stateMachineVersions"]
    versions = [version["stateMachineVersionArn"] for version in listed]
    assert len(versions) == 2, versions
    routes = [
        {"stateMachineVersionArn": versions[1], "weight": 50},
        {"stateMachineVersionArn": versions[0], "weight": 50},
    ]
    alias = client.create_state_machine_alias(name="live", routingConfiguration=routes)
    starts = [
        client.start_execution(stateMachineArn=alias["stateMachineAliasArn"])["executionArn"]
        for _ in range(40)
    ]
    assert {ended(start)["output"] for start in starts} == {"1", "2"}


def states_and_definitions_are_tested_without_a_run():
    state = json.dumps({"Type": "Pass", "Parameters": {"b.$": "$.a"}, "Next": "B"})
    told = client.test_state(definition=state, roleArn=ROLE, input='{"a": 7}')
    assert (told["status"], json.loads(told["output"]), told["nextState"]) == (
        "SUCCEEDED", {"b": 7}, "B",
    ), told  # fmt: skip
    bad = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Gone"}}})
    told = client.validate_state_machine_definition(definition=bad)
    assert told["result"] == "FAIL" and told["diagnostics"], told


def what_is_tagged_listed_and_deleted_is_so():
    arn = machine("tagged", {"A": {"Type": "Succeed"}}, "A", tags=[{"key": "k", "value": "v"}])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "k", "value": "v"}]
    pages = client.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
    names = [one["name"] for page in pages for one in page["stateMachines"]]
    assert "tagged" in names and len(names) == len(set(names)), names
    client.delete_state_machine(stateMachineArn=arn)
    refused("StateMachineDoesNotExist", client.describe_state_machine, stateMachineArn=arn)


def every_operation_member_and_error_is_spelled_as_in_the_model():
    with urllib.request.urlopen(f"{URL}/openapi.json") as answer:
        ours = json.load(answer)["x-everstep-operations"]
    model = botocore.session.get_session().get_service_model("stepfunctions")
    assert sorted(ours) == sorted(model.operation_names)
    for name, told in ours.items():
        shape = model.operation_model(name)
        members = dict(shape.input_shape.members) if shape.input_shape else {}
        required = sorted(shape.input_shape.required_members) if shape.input_shape else []
        assert sorted(told["input"].get("properties", {})) == sorted(members), name
        assert sorted(told["input"].get("required", [])) == required, name
        errors = {error.name for error in shape.error_shapes}
        assert set(told["errors"]) <= errors, (name, set(told["errors"]) - errors)


TESTS = [
    a_worker_takes_fails_and_completes_tasks,
    a_start_by_name_is_repeated_and_not_doubled,
    versions_and_aliases_share_the_starts,
    states_and_definitions_are_tested_without_a_run,
    what_is_tagged_listed_and_deleted_is_so,
    every_operation_member_and_error_is_spelled_as_in_the_model,
]

failed = 0
for test in TESTS:
    name = test.__name__.replace("_", " ")
    try:
        test()
        print(f"ok      {name}")
    except Exception:
        failed += 1
        print(f"FAILED  {name}")
        traceback.print_exc()
print(f"{len(TESTS) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
