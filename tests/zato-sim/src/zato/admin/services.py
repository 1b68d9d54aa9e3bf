"""The dashboard's page with the services of a cluster. It asks a server, at the address that the cluster's row has for its
load balancer."""

import http.client
import json
from html import escape

from zato.common import invoke

TIMEOUT = 10


class ServerError(Exception):
    """The server cannot be reached, or refuses."""


def names(database, settings, cluster_id):
    row = database.row('select lb_host, lb_port from cluster where id=?', cluster_id)
    if row is None:
        raise ServerError('No such cluster')
    answer = ask(row.lb_host, row.lb_port, settings, 'zato.service.get-list', {'cluster_id': cluster_id, 'query': ''})
    return [service['name'] for service in answer['zato_service_get_list_response']]


def table(found):
    return '<table>%s</table>' % ''.join('<tr><td>%s</td></tr>' % escape(name) for name in found)


def ask(host, port, settings, name, payload):
    credentials = settings['ADMIN_INVOKE_NAME'], settings['ADMIN_INVOKE_PASSWORD']
    body = invoke.call(name, json.dumps(payload))
    try:
        status, text = invoke.post(host, port, settings['ADMIN_INVOKE_PATH'], credentials, body, TIMEOUT)
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(str(error)) from None
    if status != 200:
        raise ServerError('HTTP %d' % status)
    return invoke.answer(text)
