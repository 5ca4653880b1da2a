"""What the tests share: their list, the client under test, and waiting."""

import json
import os
import time
import traceback

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import wire

URL = os.environ["EVERSTEP_URL"]
ROLE = "arn:aws:iam::000000000000:role/tests"
# What nothing here takes.
PATIENCE = 30

tests = []


def test(body):
    """Enters a test; its name is a sentence."""
    tests.append(body)
    return body


def run():
    """Runs all tests and tells how many went well."""
    failed = 0
    for body in tests:
        name = body.__name__.replace("_", " ")
        begin = time.monotonic()
        try:
            body()
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed", flush=True)
    return 1 if failed or not tests else 0


def client(**keys):
    """A client as docs/STEP_FUNCTIONS.md tells people to make it, whose answers are checked."""
    # Tries nothing again: what is refused once is seen.
    config = Config(inject_host_prefix=False, read_timeout=70, retries={"total_max_attempts": 1})
    made = boto3.client("stepfunctions", endpoint_url=URL, config=config, **keys)
    wire.watch(made)
    return made


sfn = client()
MODELLED = {shape.error_code for shape in sfn.meta.service_model.error_shapes}


def refused(kind, call, **asked):
    """Asks for what has to be refused, as the exception that the SDK has for it."""
    modelled = getattr(sfn.exceptions, kind) if kind in MODELLED else ClientError
    try:
        answer = call(**asked)
    except modelled as error:
        code = error.response["Error"]["Code"]
        assert code == kind, f"{code} in place of {kind}: {error}"
        assert error.response["Error"]["Message"], "a refusal has words"
        return error
    raise AssertionError(f"{kind} was expected, and there was {answer}")


def machine(name, states, start="A", **more):
    """Creates a state machine, and gives its ARN."""
    definition = json.dumps({"StartAt": start, "States": states})
    made = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE, **more)
    return made["stateMachineArn"]


def start(arn, **more):
    """Starts an execution, and gives its ARN."""
    return sfn.start_execution(stateMachineArn=arn, **more)["executionArn"]


def wait_for(what, look):
    """Looks again and again until there is something to see."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen in {PATIENCE} s")


def ended(execution):
    """What an execution has come to."""

    def look():
        told = sfn.describe_execution(executionArn=execution)
        return told if told["status"] != "RUNNING" else None

    return wait_for(f"the end of {execution}", look)


def history(execution, **how):
    """All events of an execution, page by page."""
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution, **how)
    return [event for page in pages for event in page["events"]]


def types(events):
    """The types of events."""
    return [event["type"] for event in events]


PASS = {"A": {"Type": "Pass", "End": True}}
WAIT = {"A": {"Type": "Wait", "Seconds": 100_000, "End": True}}
