"""How often a channel may be called: lines of FROM=COUNT/UNIT. FROM is `*`: networks fail in the real server, too."""

import time

SECONDS = {'h': 3600, 'd': 86400, 'm': 60}


def parse(definition):
    """Pairs of FROM and what is allowed: a count and seconds, or None for no limit."""
    out = []
    for index, line in enumerate(definition.splitlines(), 1):
        line = line.strip()
        if not line:
            continue
        if '=' not in line:
            raise ValueError('Invalid definition line `%s`; (idx:%d)' % (line, index))
        origin, allowed = [part.strip() for part in line.split('=', 1)]
        if allowed == '*':
            out.append((origin, None))
            continue
        count, unit = allowed.split('/')
        count, unit = int(count), unit.strip()
        if unit not in SECONDS:
            raise ValueError('Unit `%s` is not one of `%s`' % (unit, set(SECONDS)))
        out.append((origin, (count, SECONDS[unit])))
    return out


class Limit:
    """Of one channel since it was made or edited last."""

    def __init__(self, definition):
        self.lines = parse(definition)
        self.window = self.used = 0

    def is_exceeded(self):
        for origin, allowed in self.lines:
            if origin != '*':
                raise NotImplementedError('Rate limits of networks: %s' % origin)
            if allowed:
                return self.use(*allowed)
        return False

    def use(self, count, seconds):
        window = int(time.time() // seconds)
        if window != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return self.used > count
