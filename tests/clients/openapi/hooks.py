"""Leads half of the requests to what there is, so that more than refusals is tried."""

import zlib
from urllib.parse import urlencode

import schemathesis

# Longer ones are refused before there is anything to see; tests/it/server/limits.rs holds how.
MOST = 8000

# An execution is the newest one; workflows and job types are those that tests/clients has made.
THERE = {"id": "@", "name": "py-worker"}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name, value in THERE.items():
        given = (path_parameters or {}).get(name)
        if given is not None and zlib.crc32(str(given).encode()) % 2:
            path_parameters[name] = value
    return path_parameters


@schemathesis.hook
def filter_query(context, query):
    return len(urlencode(query or {}, doseq=True)) < MOST
