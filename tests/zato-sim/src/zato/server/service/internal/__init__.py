"""The internal services: those that commands, the dashboard and other servers call."""

import threading

from zato.common.exception import HTTPException
from zato.server.service import Service

# How the names of internal services begin.
PREFIXES = ('zato.', 'pub.zato.')


# Seconds until a change of the database counts in the memory of servers.
DELAY = 0.2


def later(server, message, refresh):
    """Does what a change means here, then tells the other workers and servers."""
    def run():
        refresh()
        server.broadcast.send(message)

    timer = threading.Timer(DELAY, run)
    timer.daemon = True
    timer.start()


class AdminService(Service):
    """`element` is what the answer is put in. It is taken off again for pubapi."""

    element = None

    def answer(self, payload):
        self.response.payload = {self.element: payload}

    def one(self, sql, *parameters):
        """The row that there must be."""
        row = self.server.odb.row(sql, *parameters)
        if row is None:
            raise HTTPException(self.cid, 'No row was found when one was required')
        return row
