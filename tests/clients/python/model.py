"""The table that requests are checked against, beside the service model that botocore ships."""

import json
import os
import urllib.request

import wire
from kit import URL, sfn, test

# What AWS refuses for reasons that there are not here; everything else has to be told.
CANNOT_BE = {
    "KmsAccessDeniedException": "there is no key service",
    "KmsInvalidStateException": "there is no key service",
    "KmsThrottlingException": "there is no key service",
    "ActivityAlreadyExists": "activities differ by their keys alone, and there is one kind of key",
    "StateMachineDeleting": "a machine is deleted at once",
    "StateMachineLimitExceeded": "there is no such limit",
    "ConflictException": "changes come one after the other, and none is refused for another",
    "InvalidLoggingConfiguration": "logging is taken as it is said, and has no effect",
    "InvalidTracingConfiguration": "tracing is taken as it is said, and has no effect",
    "ValidationException": "everything may refuse with it, so it is not told of each",
}
# The same of one operation.
CANNOT_BE_THERE = {
    ("CreateStateMachine", "InvalidArn"): "roles are taken as they are said",
    ("CreateStateMachine", "StateMachineTypeNotSupported"): "both types run alike",
    ("ListExecutions", "StateMachineTypeNotSupported"): "executions of both types are listed",
}
KINDS = {
    "structure": "object",
    "list": "array",
    "string": "string",
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
}

model = sfn.meta.service_model


def told():
    """The operations as the server tells them."""
    token = {"authorization": f"Bearer {os.environ['EVERSTEP_TOKEN']}"}
    request = urllib.request.Request(f"{URL}/openapi.json", headers=token)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["x-everstep-operations"]


def faults_of(at, said, shape):
    """In what a schema differs from a shape of the model."""
    kind = KINDS[shape.type_name]
    if said["type"] != kind:
        return [f"{at} is {said['type']}, not {kind}"]
    faults = []
    if kind == "object":
        ours, theirs = said["properties"], shape.members
        for name in sorted(set(ours) ^ set(theirs)):
            faults.append(f"{at}.{name} is {'unknown to AWS' if name in ours else 'missing'}")
        if set(said["required"]) != set(shape.required_members):
            faults.append(f"{at} needs {said['required']}, not {shape.required_members}")
        for name in set(ours) & set(theirs):
            faults += faults_of(f"{at}.{name}", ours[name], theirs[name])
    elif kind == "array":
        faults += faults_of(f"{at}[]", said["items"], shape.member)
    elif words := getattr(shape, "enum", None):
        # What is not among the words must be refused, and what is must be known.
        if sorted(said.get("enum", [])) != sorted(words):
            faults.append(f"{at} knows {said.get('enum')}, not {words}")
    return faults


@test
def every_operation_is_there_and_none_that_aws_has_not():
    assert set(told()) == set(model.operation_names)


@test
def every_member_of_an_input_is_spelt_as_the_model_has_it_and_of_its_kind():
    said = told()
    faults = []
    for name in model.operation_names:
        faults += faults_of(name, said[name]["input"], model.operation_model(name).input_shape)
    assert not faults, "\n".join(faults)


@test
def every_error_that_an_operation_tells_is_one_of_the_models():
    said = told()
    faults = []
    for name in model.operation_names:
        theirs = {shape.error_code for shape in model.operation_model(name).error_shapes}
        ours = set(said[name]["errors"])
        faults += [f"{name} has {error}, unknown to AWS" for error in sorted(ours - theirs)]
        missing = {error for error in theirs - ours if (name, error) not in CANNOT_BE_THERE}
        missing -= set(CANNOT_BE)
        faults += [f"{name} lacks {error}" for error in sorted(missing)]
    assert not faults, "\n".join(faults)


def every_operation_was_answered():
    """Stands at the end: whether the tests have had a good answer from each."""
    missing = set(model.operation_names) - wire.answered
    assert not missing, f"no test has an answer of {sorted(missing)}"
