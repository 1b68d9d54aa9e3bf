"""Which channel a request is for: a regular expression for each channel, out of its method, Accept header and path.

Nearly all of a path and of a method goes into the expression as it is: a defect of the real thing."""

import re

METHODS = ('GET', 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS')
SEPARATOR = ':::'
ANYTHING = '*/*'

# The value of a parameter that is the first group of an expression is lost if it is one of these.
LOST = METHODS + ('CONNECT', 'TRACE')

# In a path, {NAME}; the value may have these characters, and a slash where the channel says so.
PARAMETER = re.compile(r'\{([\w $.\-:|=~^/]+)\}')
VALUE = r'(?P<%s>[\w $.\-:|=~^%s]+)'


def accept_of(header):
    return (header or ANYTHING).replace('*', 'any').replace('/', ' to ')


def target_of(method, accept, path):
    """What requests and channels are compared by. Channels with the same one cannot be told apart."""
    return SEPARATOR.join(('', method, accept_of(accept), path))


def target_of_channel(row):
    """`row` has the method, http_accept and url_path of a channel."""
    path = row['url_path'].replace('(', r'\(').replace(')', r'\)')
    return target_of(row['method'] or '(%s)' % '|'.join(METHODS), row['http_accept'], path)


class Matcher:

    def __init__(self, target, match_slash):
        self.target = target
        self.names = PARAMETER.findall(target)
        self.is_internal = SEPARATOR + '/zato/' in target
        expression = target.replace(accept_of(ANYTHING), '.*')
        for name in self.names:
            expression = expression.replace('{%s}' % name, VALUE % (name, '/' if match_slash else ''))
        # The end belongs to the last alternative alone, if there are several.
        self.expression = re.compile(expression + '$')

    def match(self, target):
        """The parameters by name, as texts; None if it is for another channel."""
        found = self.expression.match(target)
        if not found:
            return None
        values = found.groups()
        if values and values[0] in LOST:
            values = values[1:]
        return dict(zip(self.names, values))
