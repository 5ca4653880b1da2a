"""Workers of activities by boto3."""

import json
import threading

from kit import ended, history, machine, refused, sfn, start, test, types


def work(name, **more):
    """An activity, a machine that asks for it, and an execution of that."""
    activity = sfn.create_activity(name=name)["activityArn"]
    state = {"Type": "Task", "Resource": activity, "End": True, **more}
    return activity, start(machine(name, {"A": state}), input='{"n": 20}')


@test
def activities_are_created_listed_and_deleted():
    arn = sfn.create_activity(name="py-activity")["activityArn"]
    assert sfn.create_activity(name="py-activity")["activityArn"] == arn
    assert sfn.describe_activity(activityArn=arn)["name"] == "py-activity"
    pages = sfn.get_paginator("list_activities").paginate(PaginationConfig={"PageSize": 1})
    assert arn in [one["activityArn"] for page in pages for one in page["activities"]]
    sfn.delete_activity(activityArn=arn)
    refused("ActivityDoesNotExist", sfn.describe_activity, activityArn=arn)


@test
def a_worker_gets_a_task_gives_signs_of_life_and_succeeds():
    activity, execution = work("py-worker", HeartbeatSeconds=20)
    task = sfn.get_activity_task(activityArn=activity, workerName="py")
    assert json.loads(task["input"]) == {"n": 20}
    sfn.send_task_heartbeat(taskToken=task["taskToken"])
    sfn.send_task_success(taskToken=task["taskToken"], output='{"n": 21}')
    told = ended(execution)
    assert told["status"] == "SUCCEEDED" and json.loads(told["output"]) == {"n": 21}
    seen = types(history(execution))
    assert seen == ["ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted",
                    "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"], seen
    refused("TaskTimedOut", sfn.send_task_success, taskToken=task["taskToken"], output="1")
    refused("InvalidToken", sfn.send_task_heartbeat, taskToken="nothing")


@test
def a_worker_that_waits_gets_what_comes_later():
    activity = sfn.create_activity(name="py-early")["activityArn"]
    got = []
    waiting = threading.Thread(
        target=lambda: got.append(sfn.get_activity_task(activityArn=activity)))
    waiting.start()
    arn = machine("py-early", {"A": {"Type": "Task", "Resource": activity, "End": True}})
    execution = start(arn)
    waiting.join()
    sfn.send_task_success(taskToken=got[0]["taskToken"], output="{}")
    assert ended(execution)["status"] == "SUCCEEDED"


@test
def a_task_that_fails_is_tried_again():
    retry = [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    activity, execution = work("py-retry", Retry=retry)
    first = sfn.get_activity_task(activityArn=activity)
    sfn.send_task_failure(taskToken=first["taskToken"], error="Flaky", cause="try again")
    second = sfn.get_activity_task(activityArn=activity)
    assert second["taskToken"] != first["taskToken"]
    refused("TaskTimedOut", sfn.send_task_success, taskToken=first["taskToken"], output="1")
    sfn.send_task_success(taskToken=second["taskToken"], output="{}")
    assert ended(execution)["status"] == "SUCCEEDED"
    events = history(execution)
    assert types(events).count("ActivityScheduled") == 2
    failure = next(event for event in events if event["type"] == "ActivityFailed")
    assert failure["activityFailedEventDetails"] == {"error": "Flaky", "cause": "try again"}


@test
def a_task_whose_worker_falls_silent_is_caught():
    states = {
        "A": {"Type": "Task", "Resource": None, "HeartbeatSeconds": 1, "End": True,
              "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Caught"}]},
        "Caught": {"Type": "Pass", "Result": "caught", "End": True},
    }
    activity = sfn.create_activity(name="py-silent")["activityArn"]
    states["A"]["Resource"] = activity
    execution = start(machine("py-silent", states))
    task = sfn.get_activity_task(activityArn=activity)
    told = ended(execution)
    assert (told["status"], told["output"]) == ("SUCCEEDED", '"caught"')
    assert "ActivityTimedOut" in types(history(execution))
    refused("TaskTimedOut", sfn.send_task_heartbeat, taskToken=task["taskToken"])
