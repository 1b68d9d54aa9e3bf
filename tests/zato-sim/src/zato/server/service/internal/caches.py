"""zato.cache.builtin.*: definitions of caches."""

from zato.common import odb
from zato.server.cache import CACHE_SQL, TYPE
from zato.server.service import Bool
from zato.server.service.internal import AdminService

COLUMNS = ('cache_type', 'extend_expiry_on_get', 'extend_expiry_on_set', 'id', 'is_active', 'is_default', 'max_item_size',
           'max_size', 'name', 'persistent_storage', 'sync_method', 'cache_id', 'opaque1')


class GetList(AdminService):
    """`current_size` is that of the worker which answers."""
    name = 'zato.cache.builtin.get-list'
    element = 'zato_cache_builtin_get_list_response'
    input = 'cluster_id'

    def handle(self):
        rows = self.server.odb.rows(CACHE_SQL + ' where c.cluster_id=? order by c.name', self.request.input.cluster_id)
        self.answer([dict({name: row[name] for name in COLUMNS}, current_size=len(self.cache.get_cache(TYPE, row.name)))
                     for row in rows])


class Create(AdminService):
    """A cache whose name is taken stays as it is: the answer has no id then."""
    name = 'zato.cache.builtin.create'
    element = 'zato_cache_builtin_create_response'
    input = ('cluster_id', 'name', 'is_active', 'is_default', 'cache_type', 'max_size', 'max_item_size',
             Bool('extend_expiry_on_get'), Bool('extend_expiry_on_set'), 'sync_method', 'persistent_storage', '-cache_id')

    def handle(self):
        given = self.request.input
        with self.server.odb.transaction() as connection:
            cache_id = None
            if not connection.execute('select 1 from cache where name=? and cluster_id=?',
                                      (given.name, given.cluster_id)).fetchone():
                cache_id = self.insert(connection, given)
        if cache_id:
            self.cache.refresh(cache_id)
            self.server.broadcast.send({'action': 'cache', 'id': cache_id})
        self.answer({'id': cache_id, 'name': given.name, 'cache_id': cache_id})

    @staticmethod
    def insert(connection, given):
        if given.is_default:
            connection.execute('update cache set is_default=false')
        cache_id = odb.insert(connection, 'cache', name=given.name, is_active=given.is_active, is_default=given.is_default,
                              cache_type=TYPE, opaque1='{}', cluster_id=given.cluster_id)
        odb.insert(connection, 'cache_builtin', cache_id=cache_id, max_size=given.max_size,
                   max_item_size=given.max_item_size, extend_expiry_on_get=given.extend_expiry_on_get,
                   extend_expiry_on_set=given.extend_expiry_on_set, sync_method=given.sync_method,
                   persistent_storage=given.persistent_storage)
        return cache_id
