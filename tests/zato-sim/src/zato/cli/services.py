"""`zato service invoke` and `zato wait`."""

import json
import os
from urllib.parse import urlsplit

from zato.cli.client import AdminClient, wait_for

INVALID_INPUT = 15
TIMED_OUT = 28


def invoke(arguments):
    """What fails is printed as what does not, and the exit code is 0: a defect of the real thing."""
    client = AdminClient(os.path.abspath(arguments.path))
    try:
        print(client.invoke(arguments.name, json.loads(arguments.payload or '{}')) or '(None)')
    except ValueError as error:
        print(error)
    return 0


def wait(arguments):
    if bool(arguments.path) == bool(arguments.address):
        print('Exactly one of --path or --address is required')
        return INVALID_INPUT
    if arguments.path:
        client = AdminClient(os.path.abspath(arguments.path))
        host, port = client.host, client.port
    else:
        parts = urlsplit(arguments.address)
        host, port = parts.hostname, parts.port or 80
    is_there = wait_for(host, port, arguments.url_path or '/zato/ping', int(arguments.timeout or 60),
                        float(arguments.interval or 0.1))
    return 0 if is_there else TIMED_OUT
