""" Written by zato-operator: keeps answers of channels for some seconds; Zato 3.2 would keep them for ever. A channel with a cache
leads here, and its service is invoked as the channel would, with what the address says and nothing else. It goes with the last such
channel.
"""

import json
from collections import OrderedDict
from threading import Lock
from time import monotonic

from zato.common.exception import NotFound
from zato.server.service import Service

# Of each channel the service, and for how many seconds an answer is good; 0: it is not kept.
TABLE = json.loads('{}')

# Of one channel.
MOST_ANSWERS = 1_000
MOST_CHARACTERS = 10_000_000
# An answer that is longer is not kept.
MOST_OF_ONE = 1_000_000

# A service that sets one of these does not want its answer to be kept.
UNKEPT = 'no-store', 'no-cache', 'private'


class Answers:
    """ Those of one channel, in the order in which they came. """

    def __init__(self, seconds):
        self.seconds = seconds
        self.kept = OrderedDict()
        self.characters = 0
        self.lock = Lock()

    def find(self, key, now):
        """ An answer that is good, and its age. """
        with self.lock:
            since, answer = self.kept.get(key, (None, None))
            if answer is None or now - since >= self.seconds:
                return None, 0
            return answer, now - since

    def keep(self, key, since, answer, now):
        """ The oldest go for it. """
        size = length(key, answer)
        with self.lock:
            self.drop(key)
            while self.kept:
                oldest = next(iter(self.kept))
                is_full = len(self.kept) >= MOST_ANSWERS or self.characters + size > MOST_CHARACTERS
                if not is_full and now - self.kept[oldest][0] < self.seconds:
                    break
                self.drop(oldest)
            self.kept[key] = since, answer
            self.characters += size

    def drop(self, key):
        _, answer = self.kept.pop(key, (None, None))
        if answer is not None:
            self.characters -= length(key, answer)


KEPT = {name: Answers(told['seconds']) for name, told in TABLE.items()}


def length(key, answer):
    _, text = key
    return len(text) + len(answer['payload']) + len(str(answer['headers']))


def is_for_others(answer):
    """ Errors are made anew each time, and so is what is meant for one caller, or too long. """
    headers = {name.lower(): str(value).lower() for name, value in answer['headers'].items()}
    if answer['status'] != 200 or len(answer['payload']) > MOST_OF_ONE or 'set-cookie' in headers:
        return False
    return not any(word in headers.get('cache-control', '') for word in UNKEPT)


class Cache(Service):
    name = 'zato-operator.cache'

    def handle(self):
        told = TABLE.get(self.channel.name)
        if told is None:
            raise NotFound(self.cid, 'No channel with a cache leads here')
        http = self.request.http
        # What a service sees, and what its answer is known by: they must be the same, or callers get answers of others.
        seen = {'path': http.path, 'query': dict(http.GET), 'parts': dict(http.params)}
        answers, began = KEPT[self.channel.name], monotonic()
        # Another version of the service has answers of its own, also while an old one is still at work.
        version = type(self.server.service_store.new_instance_by_name(told['service'])[0])
        key = version, repr([seen['path'], sorted(seen['query'].items()), sorted(seen['parts'].items())])
        answer, age = answers.find(key, began)
        if answer is None:
            answer = self.made(told['service'], seen)
            if answers.seconds and is_for_others(answer):
                answers.keep(key, began, answer, monotonic())
        else:
            self.response.headers['Age'] = str(int(age))
        self.response.status_code, self.response.content_type = answer['status'], answer['content_type']
        self.response.headers.update(answer['headers'])
        self.response.payload = answer['payload']

    def made(self, service, seen):
        """ As it would go out if the channel led to the service. """
        handler = self.server.worker_store.request_dispatcher.request_handler

        def taken(invoked, **_):
            handler.set_payload(invoked.response, 'json', 'plain_http', invoked)
            handler.set_content_type(invoked.response, 'json')
            return invoked.response

        environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': seen['path'], 'zato.http.GET': seen['query'],
                   'zato.http.path_params': seen['parts']}
        # Not empty: Zato would take all that follows for the payload.
        response = self.invoke(service, '{}', channel='http-soap', data_format='json', transport='plain_http', wsgi_environ=environ,
                               channel_params=dict(seen['query'], **seen['parts']), set_response_func=taken)
        return {'status': response.status_code, 'content_type': response.content_type, 'headers': dict(response.headers or {}),
                'payload': response.payload}
