"""Executions by boto3: starts, histories, stops, redrives, map runs."""

import json

from kit import (PASS, WAIT, client, ended, history, machine, refused, sfn, start, test, types,
                 wait_for)


@test
def an_execution_is_started_once_by_its_name():
    arn = machine("py-start", {"A": {"Type": "Pass", "Result": {"done": True}, "End": True}})
    execution = start(arn, name="once", input='{"n": 1}')
    told = ended(execution)
    assert told["status"] == "SUCCEEDED" and json.loads(told["output"]) == {"done": True}
    assert json.loads(told["input"]) == {"n": 1} and told["name"] == "once"
    assert told["startDate"] <= told["stopDate"] and told["redriveCount"] == 0
    refused("ExecutionAlreadyExists", sfn.start_execution,
            stateMachineArn=arn, name="once", input='{"n": 2}')
    refused("InvalidExecutionInput", sfn.start_execution, stateMachineArn=arn, input="{")
    of = sfn.describe_state_machine_for_execution(executionArn=execution)
    assert of["stateMachineArn"] == arn and "done" in of["definition"]
    running = start(machine("py-start-2", WAIT), name="once")
    assert start(arn.replace("py-start", "py-start-2"), name="once") == running
    sfn.stop_execution(executionArn=running)


@test
def executions_are_listed_by_status_page_by_page():
    arn = machine("py-list", PASS)
    begun = {start(arn) for _ in range(5)}
    for execution in begun:
        ended(execution)
    pages = sfn.get_paginator("list_executions").paginate(
        stateMachineArn=arn, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 2})
    listed = [one["executionArn"] for page in pages for one in page["executions"]]
    assert len(listed) == 5 and set(listed) == begun
    assert not sfn.list_executions(stateMachineArn=arn, statusFilter="FAILED")["executions"]
    refused("InvalidToken", sfn.list_executions, stateMachineArn=arn, nextToken="nothing")


@test
def a_history_is_read_forwards_backwards_and_page_by_page():
    states = {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Default": "C",
              "Choices": [{"Variable": "$[9]", "IsPresent": True, "Next": "D"}]},
        "C": {"Type": "Parallel", "Next": "D", "Branches": [
            {"StartAt": "X", "States": {"X": {"Type": "Pass", "End": True}}},
            {"StartAt": "Y", "States": {"Y": {"Type": "Succeed"}}},
        ]},
        "D": {"Type": "Map", "ItemsPath": "$", "End": True, "ItemProcessor": {
            "StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}},
    }
    execution = start(machine("py-history", states), input="[1, 2]")
    assert ended(execution)["status"] == "SUCCEEDED"
    events = history(execution)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    seen = types(events)
    assert seen[0] == "ExecutionStarted" and seen[-1] == "ExecutionSucceeded"
    for kind in ["PassStateEntered", "ChoiceStateExited", "ParallelStateSucceeded",
                 "MapIterationStarted", "MapStateExited", "SucceedStateEntered"]:
        assert kind in seen, f"{kind} is not in {seen}"
    assert json.loads(events[0]["executionStartedEventDetails"]["input"]) == [1, 2]
    assert history(execution, PaginationConfig={"PageSize": 3}) == events
    assert history(execution, reverseOrder=True) == events[::-1]
    for event in events[1:]:
        assert event["previousEventId"] < event["id"], event
    spare = sfn.get_execution_history(executionArn=execution, includeExecutionData=False)
    assert "input" not in spare["events"][0].get("executionStartedEventDetails", {})
    refused("ExecutionDoesNotExist", sfn.get_execution_history, executionArn=execution + "x")
    refused("InvalidToken", sfn.get_execution_history, executionArn=execution, nextToken="x")


@test
def an_execution_is_stopped_with_an_error_and_a_cause():
    execution = start(machine("py-stop", WAIT))
    answer = sfn.stop_execution(executionArn=execution, error="Enough", cause="no longer wanted")
    told = sfn.describe_execution(executionArn=execution)
    assert told["status"] == "ABORTED" and answer["stopDate"] == told["stopDate"], told
    assert (told["error"], told["cause"]) == ("Enough", "no longer wanted")
    details = history(execution)[-1]["executionAbortedEventDetails"]
    assert details == {"error": "Enough", "cause": "no longer wanted"}


@test
def a_stopped_execution_is_redriven():
    execution = start(machine("py-again", WAIT))
    sfn.stop_execution(executionArn=execution)
    sfn.redrive_execution(executionArn=execution)
    told = sfn.describe_execution(executionArn=execution)
    assert (told["status"], told["redriveCount"]) == ("RUNNING", 1)
    sfn.stop_execution(executionArn=execution)


@test
def a_failed_execution_is_redriven_from_where_it_failed():
    activity = sfn.create_activity(name="py-redrive")["activityArn"]
    states = {
        "Before": {"Type": "Pass", "Result": {"kept": 1}, "Next": "Work"},
        "Work": {"Type": "Task", "Resource": activity, "End": True},
    }
    execution = start(machine("py-redrive", states, start="Before"))
    refused("ExecutionNotRedrivable", sfn.redrive_execution, executionArn=execution)
    task = sfn.get_activity_task(activityArn=activity)
    sfn.send_task_failure(taskToken=task["taskToken"], error="Broken", cause="first time")
    told = ended(execution)
    assert (told["status"], told["error"], told["redriveStatus"]) == \
        ("FAILED", "Broken", "REDRIVABLE")
    sfn.redrive_execution(executionArn=execution, clientToken="a")
    sfn.redrive_execution(executionArn=execution, clientToken="a")
    task = sfn.get_activity_task(activityArn=activity)
    assert json.loads(task["input"]) == {"kept": 1}
    sfn.send_task_success(taskToken=task["taskToken"], output='"good"')
    told = ended(execution)
    assert (told["status"], told["redriveCount"], told["output"]) == ("SUCCEEDED", 1, '"good"')
    seen = types(history(execution))
    assert seen.count("ExecutionRedriven") == 1 and seen.count("PassStateEntered") == 1, seen


@test
def a_map_run_is_followed_and_changed():
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "I",
        "States": {"I": {"Type": "Wait", "Seconds": 100_000, "End": True}},
    }
    states = {"A": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2,
                    "ItemProcessor": processor, "End": True}}
    execution = start(machine("py-map", states), input='{"items": [1, 2, 3]}')
    listed = wait_for(
        "a map run", lambda: sfn.list_map_runs(executionArn=execution)["mapRuns"])
    run = listed[0]["mapRunArn"]
    sfn.update_map_run(mapRunArn=run, maxConcurrency=3, toleratedFailureCount=3)

    def three():
        seen = sfn.describe_map_run(mapRunArn=run)
        return seen if seen["itemCounts"]["running"] == 3 else None

    told = wait_for("three parts", three)
    assert (told["maxConcurrency"], told["toleratedFailureCount"]) == (3, 3)
    assert told["itemCounts"]["total"] == 3 and told["executionArn"] == execution
    children = sfn.list_executions(mapRunArn=run)["executions"]
    assert len(children) == 3 and all(one["mapRunArn"] == run for one in children), children
    sfn.stop_execution(executionArn=execution)
    assert ended(execution)["status"] == "ABORTED"
    refused("ResourceNotFound", sfn.describe_map_run, mapRunArn=run + "x")


@test
def an_express_execution_is_waited_for():
    arn = machine("py-sync", PASS, type="EXPRESS")
    told = sfn.start_sync_execution(stateMachineArn=arn, input='{"v": 1}')
    assert told["status"] == "SUCCEEDED" and json.loads(told["output"]) == {"v": 1}
    standard = machine("py-sync-not", PASS)
    refused("StateMachineTypeNotSupported", sfn.start_sync_execution, stateMachineArn=standard)


@test
def a_request_that_is_signed_with_another_secret_is_refused():
    stranger = client(aws_secret_access_key="another", aws_access_key_id=sfn_key())
    refused("InvalidSignatureException", stranger.list_activities)
    stranger = client(aws_secret_access_key="another", aws_access_key_id="AKIANOBODYKNOWS00000")
    refused("UnrecognizedClientException", stranger.list_activities)


def sfn_key():
    """The id of the key that the tests sign with."""
    return sfn._request_signer._credentials.access_key
