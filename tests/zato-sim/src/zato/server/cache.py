"""Built-in caches: the definitions are rows of the ODB, the values are in the memory of one worker.

A definition is known to all the workers and servers at once. Values stay where they were set: the real server sends them to
the others."""

import threading
from collections import OrderedDict

TYPE = 'builtin'

CACHE_SQL = 'select c.*, b.* from cache c join cache_builtin b on b.cache_id = c.id'


class Cache:
    """When it is full, what was not used for the longest time goes."""

    def __init__(self, max_size, max_item_size):
        self.max_size = max_size
        self.max_item_size = max_item_size
        self.values = OrderedDict()
        self.lock = threading.Lock()

    def __len__(self):
        return len(self.values)

    def get(self, key, default=None):
        with self.lock:
            if key not in self.values:
                return default
            self.values.move_to_end(key)
            return self.values[key]

    def set(self, key, value):
        """Returns the value that there was before. Only texts can be too long."""
        if isinstance(value, (str, bytes)) and len(value) > self.max_item_size:
            raise ValueError('Value too long %d > %d' % (len(value), self.max_item_size))
        with self.lock:
            previous = self.values.pop(key, None)
            if len(self.values) >= self.max_size:
                self.values.popitem(last=False)
            self.values[key] = value
        return previous


class Caches:
    """What services see as `self.cache`."""

    def __init__(self, odb):
        self.odb = odb
        self.caches = {TYPE: {}}

    def load(self):
        for row in self.odb.rows(CACHE_SQL):
            self.add(row)

    def refresh(self, cache_id):
        self.add(self.odb.row(CACHE_SQL + ' where c.id=?', cache_id))

    def add(self, row):
        self.caches[TYPE][row.name] = Cache(row.max_size, row.max_item_size)

    def get_cache(self, cache_type, name):
        return self.caches[cache_type][name]
