"""Runs the tests of boto3, of the command line of AWS, and of the model."""

import sys

import kit
import model
import machines  # noqa: F401
import executions  # noqa: F401
import activities  # noqa: F401
import command_line  # noqa: F401

# Last, as it looks at what the others have had.
kit.test(model.every_operation_was_answered)

sys.exit(kit.run())
