"""Answers as they come over the wire, against the service model that botocore ships.

A parser passes over what it does not know, so a misspelt member would be missed by nobody but people
who need it.
"""

import json
from numbers import Real

# What every operation may refuse with; the model does not list it.
COMMON = {
    "AccessDeniedException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationException",
}
SCALARS = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "timestamp": Real,
    "double": Real,
    "float": Real,
}

# Operations that were answered, and not with a refusal.
answered = set()


def watch(client):
    """Checks all answers that a client gets."""
    client.meta.events.register("before-parse.sfn.*", check)


def check(operation_model, response_dict, **_):
    """Checks one answer."""
    name = operation_model.name
    assert response_dict["headers"]["content-type"] == "application/x-amz-json-1.0", name
    assert response_dict["headers"]["x-amzn-requestid"], name
    body = json.loads(response_dict["body"])
    if response_dict["status_code"] == 200:
        answered.add(name)
        hold(name, body, operation_model.output_shape)
        return
    known = {shape.error_code: shape for shape in operation_model.error_shapes}
    kind = body.pop("__type")
    assert kind in known or kind in COMMON, f"{name} refuses with {kind}, which it does not have"
    if kind in known:
        hold(f"{name}: {kind}", body, known[kind])


def hold(at, value, shape):
    """Holds that a value is of a shape, and has no member that the shape has not."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), f"{at} is {value!r}, no structure"
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{at} has {unknown}, which the model has not"
        missing = set(shape.required_members) - set(value)
        assert not missing, f"{at} lacks {missing}"
        for name, member in value.items():
            # The token of no task is null.
            if member is not None:
                hold(f"{at}.{name}", member, shape.members[name])
    elif shape.type_name == "list":
        assert isinstance(value, list), f"{at} is {value!r}, no list"
        for number, entry in enumerate(value):
            hold(f"{at}[{number}]", entry, shape.member)
    else:
        wanted = SCALARS[shape.type_name]
        is_flag = isinstance(value, bool)
        assert isinstance(value, wanted) and is_flag == (wanted is bool), f"{at} is {value!r}"
        words = getattr(shape, "enum", None)
        assert not words or value in words, f"{at} is {value!r}, not of {words}"
