"""Machines, versions, aliases and tags by boto3."""

import json

from kit import PASS, ROLE, WAIT, ended, machine, refused, sfn, start, test


@test
def a_machine_is_created_once_described_changed_and_deleted():
    arn = machine("py-machine", PASS)
    assert machine("py-machine", PASS) == arn, "the same again is the same machine"
    told = sfn.describe_state_machine(stateMachineArn=arn)
    assert (told["name"], told["type"], told["status"]) == ("py-machine", "STANDARD", "ACTIVE")
    assert json.loads(told["definition"])["States"] == PASS
    assert told["roleArn"] == ROLE
    other = json.dumps({"StartAt": "A", "States": WAIT})
    refused("StateMachineAlreadyExists", sfn.create_state_machine,
            name="py-machine", definition=other, roleArn=ROLE)
    changed = sfn.update_state_machine(stateMachineArn=arn, definition=other)
    again = sfn.describe_state_machine(stateMachineArn=arn)
    assert json.loads(again["definition"])["States"] == WAIT
    assert again["revisionId"] == changed["revisionId"] != told.get("revisionId")
    pages = sfn.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
    assert arn in [one["stateMachineArn"] for page in pages for one in page["stateMachines"]]
    sfn.delete_state_machine(stateMachineArn=arn)
    refused("StateMachineDoesNotExist", sfn.describe_state_machine, stateMachineArn=arn)


@test
def what_is_no_machine_is_refused_as_aws_refuses_it():
    refused("InvalidDefinition", sfn.create_state_machine,
            name="py-bad", definition='{"StartAt":"A"}', roleArn=ROLE)
    refused("InvalidName", sfn.create_state_machine,
            name="no name", definition=json.dumps({"StartAt": "A", "States": PASS}), roleArn=ROLE)
    refused("InvalidArn", sfn.describe_state_machine, stateMachineArn="nothing")
    checked = sfn.validate_state_machine_definition(definition='{"StartAt":"A"}')
    assert checked["result"] == "FAIL" and checked["diagnostics"], checked


@test
def an_alias_leads_to_a_version():
    arn = machine("py-versions", PASS)
    first = sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    sfn.update_state_machine(
        stateMachineArn=arn, definition=json.dumps({"StartAt": "A", "States": WAIT}))
    second = sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    listed = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [one["stateMachineVersionArn"] for one in listed] == [second, first]

    alias = sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": first, "weight": 100}],
    )["stateMachineAliasArn"]
    told = ended(start(alias))
    assert told["status"] == "SUCCEEDED" and told["stateMachineVersionArn"] == first
    sfn.update_state_machine_alias(
        stateMachineAliasArn=alias,
        routingConfiguration=[
            {"stateMachineVersionArn": first, "weight": 1},
            {"stateMachineVersionArn": second, "weight": 99},
        ],
    )
    told = sfn.describe_state_machine_alias(stateMachineAliasArn=alias)
    assert sorted(route["weight"] for route in told["routingConfiguration"]) == [1, 99]
    sfn.update_state_machine_alias(
        stateMachineAliasArn=alias,
        routingConfiguration=[
            {"stateMachineVersionArn": version, "weight": 50} for version in (first, second)],
    )
    # That forty starts go one way happens once in 10^12.
    begun = [start(alias) for _ in range(40)]
    told = [sfn.describe_execution(executionArn=one)["stateMachineVersionArn"] for one in begun]
    assert set(told) == {first, second}
    aliases = sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"]
    assert [one["stateMachineAliasArn"] for one in aliases] == [alias]
    refused("ConflictException", sfn.delete_state_machine_version, stateMachineVersionArn=first)
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    sfn.delete_state_machine_version(stateMachineVersionArn=first)
    refused("ResourceNotFound", sfn.describe_state_machine_alias, stateMachineAliasArn=alias)


@test
def tags_are_set_and_taken_away():
    arn = machine("py-tags", PASS, tags=[{"key": "team", "value": "a"}])
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "b"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["team"])
    tags = sfn.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "stage", "value": "b"}]
    missing = arn.replace("py-tags", "py-none")
    refused("ResourceNotFound", sfn.list_tags_for_resource, resourceArn=missing)


@test
def a_state_is_tested_alone():
    state = json.dumps({"Type": "Pass", "Result": {"v": 1}, "End": True})
    tested = sfn.test_state(definition=state, input="{}", inspectionLevel="DEBUG")
    assert tested["status"] == "SUCCEEDED" and json.loads(tested["output"]) == {"v": 1}
