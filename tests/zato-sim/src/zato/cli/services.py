"""`zato service invoke` and `zato wait`."""

import json
import os
from urllib.parse import urlsplit

from zato.cli.client import AdminClient, wait_for

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
    parts = urlsplit(arguments.address)
    return 0 if wait_for(parts.hostname, parts.port or 80, int(arguments.timeout or 60)) else TIMED_OUT
