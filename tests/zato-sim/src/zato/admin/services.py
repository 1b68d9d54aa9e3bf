"""The dashboard's page with the services of a cluster. It asks a server, at the address that the cluster's row has for its
load balancer."""

import base64
import http.client
import json
from contextlib import closing
from html import escape

TIMEOUT = 10


class ServerError(Exception):
    """The server cannot be reached, or refuses."""


def names(database, settings, cluster_id):
    row = database.row('select lb_host, lb_port from cluster where id=?', cluster_id)
    if row is None:
        raise ServerError('No such cluster')
    answer = invoke(row.lb_host, row.lb_port, settings, 'zato.service.get-list', {'cluster_id': cluster_id, 'query': ''})
    return [service['name'] for service in answer['zato_service_get_list_response']]


def table(found):
    return '<table>%s</table>' % ''.join('<tr><td>%s</td></tr>' % escape(name) for name in found)


def invoke(host, port, settings, name, payload):
    credentials = '%s:%s' % (settings['ADMIN_INVOKE_NAME'], settings['ADMIN_INVOKE_PASSWORD'])
    headers = {'Authorization': 'Basic ' + base64.b64encode(credentials.encode()).decode()}
    body = {'name': name, 'data_format': 'json', 'payload': base64.b64encode(json.dumps(payload).encode()).decode()}
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
            connection.request('POST', settings['ADMIN_INVOKE_PATH'], json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(str(error)) from None
    if response.status != 200:
        raise ServerError('HTTP %d' % response.status)
    return json.loads(base64.b64decode(json.loads(text)['response']))
