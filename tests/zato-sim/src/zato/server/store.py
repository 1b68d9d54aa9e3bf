"""The services of a worker: loads modules, finds services by name and keeps table deployed_service in step."""

import hashlib
import importlib
import importlib.util
import json
import logging
import os
import pkgutil
import sys
import traceback

from zato.common import jobs, odb as odb_module
from zato.common.bunch import Bunch
from zato.server import service as service_module
from zato.server.service import Model, Service, internal

logger = logging.getLogger('zato.server.service.store')


class Store:

    def __init__(self, server):
        self.server = server
        self.services = {}
        # Modules of users: path -> source, as they were when loaded last.
        self.sources = {}
        # Names of services whose row was deleted while the server ran: their channels are errors from then on.
        self.deleted = set()

    def __contains__(self, name):
        return name in self.services

    def invoke(self, name, request, cid):
        """Runs the service; returns its instance."""
        if name not in self.services:
            raise KeyError(name)
        return service_module.run(self.services[name].class_, self.server, request, cid)

    def new_instance_by_name(self, name):
        """For services: an instance that handles nothing, and whether it would."""
        return self.services[name].class_(), True

    def load_internal(self):
        """The services that the installation itself has."""
        found = []
        for item in pkgutil.iter_modules(internal.__path__, internal.__name__ + '.'):
            module = importlib.import_module(item.name)
            found += self.register(module, module.__file__)
        return found

    def load_file(self, path):
        """Imports a file. Returns its services and whether it holds models; None if it cannot be loaded: then what was
        loaded before goes on serving.

        The import uses Python's bytecode cache. That is a defect of the real thing: the cache tells versions apart by
        size and whole seconds only, so that of two edits of equal size within a second the second one is not loaded,
        unless PYTHONDONTWRITEBYTECODE is set."""
        name = os.path.splitext(os.path.basename(path))[0]
        previous = sys.modules.get(name)
        try:
            spec = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        except BaseException:
            if previous:
                sys.modules[name] = previous
            else:
                sys.modules.pop(name, None)
            # Twice for each attempt, as the real server does.
            for _ in range(2):
                logger.error('Could not load source, file_name:`%s`, e:`%s`', path, traceback.format_exc())
            return None
        services = self.register(module, path)
        if services or has_models(module):
            with open(path, 'rb') as file:
                self.sources[path] = file.read()
        return Bunch(services=services, has_models=has_models(module))

    def register(self, module, path):
        """Returns what is known of each service that the module itself defines."""
        found = []
        for class_ in own_classes(module, Service):
            info = Bunch(name=class_.get_name(), class_=class_, path=path,
                         impl_name='%s.%s' % (module.__name__, class_.__name__))
            self.services[info.name] = info
            self.deleted.discard(info.name)
            found.append(info)
        return found

    def record(self, services):
        """Writes the rows of what was just loaded. Another server may write those of the same services at this moment."""
        for is_last in (False, True):
            try:
                with self.server.odb.transaction() as connection:
                    self.record_all(connection, services)
                return
            except odb_module.IntegrityError:
                if is_last:
                    raise

    def record_all(self, connection, services):
        """In one order on all servers: they wait for one another."""
        for info in sorted(services, key=lambda item: item.name):
            self.record_one(connection, info)

    def record_one(self, connection, info):
        row = connection.execute('select id, impl_name from service where name=? and cluster_id=?',
                                 (info.name, self.server.cluster_id)).fetchone()
        if row:
            service_id = row.id
            if row.impl_name != info.impl_name:
                connection.execute('update service set impl_name=? where id=?', (info.impl_name, service_id))
        else:
            # Internal services are no exception: only those that `create cluster` knows have is_internal set.
            service_id = odb_module.insert(connection, 'service', name=info.name, is_active=True, is_internal=False,
                                           impl_name=info.impl_name, slow_threshold=99999,
                                           cluster_id=self.server.cluster_id)
        with open(info.path, 'rb') as file:
            source = file.read()
        now = odb_module.now()
        details = {'fs_location': info.path, 'name': info.name, 'impl_name': info.impl_name, 'timestamp': now,
                   'line_number': info.class_.handle.__code__.co_firstlineno, 'server_name': self.server.name}
        connection.execute('delete from deployed_service where server_id=? and service_id=?',
                           (self.server.id, service_id))
        odb_module.insert(connection, 'deployed_service', deployment_time=now, details=json.dumps(details), source=source,
                          source_path=info.path, source_hash=hashlib.sha256(source).hexdigest(),
                          source_hash_method='SHA-256', server_id=self.server.id, service_id=service_id)

    def missing(self):
        """Path and source of what other servers deployed and this one does not have, by file name. Asked is whether another
        server is said to run, which one that was stopped is, too; taken is what any server has."""
        odb = self.server.odb
        if not odb.row("select 1 from server where cluster_id=? and id != ? and up_status='running'", self.server.cluster_id,
                       self.server.id):
            return {}
        rows = odb.rows("""select s.name, d.source_path, d.source from deployed_service d join service s on s.id = d.service_id
            join server v on v.id = d.server_id where s.cluster_id=? and not s.is_internal order by d.server_id, s.name""",
                        self.server.cluster_id)
        found = {}
        for row in rows:
            if row.name not in self:
                found.setdefault(os.path.basename(row.source_path), row)
        return found

    def record_boot(self, services):
        """At boot this server's rows are written anew; services that no server has any longer lose their row. Of two servers
        that boot at once with new services one fails: a defect of the real thing. The workers of one wait for each other."""
        with self.server.odb.transaction() as connection:
            connection.lock(self.server.id)
            connection.execute('delete from deployed_service where server_id=?', (self.server.id,))
            self.record_all(connection, services)
            delete_services(connection, """select id from service where not is_internal and id not in
                (select service_id from deployed_service)""")


def delete_services(connection, ids_sql, parameters=()):
    """Deletes services by a query for their ids, with what refers to them."""
    ids = [row.id for row in connection.execute(ids_sql, parameters).fetchall()]
    for service_id in ids:
        connection.execute('delete from deployed_service where service_id=?', (service_id,))
        connection.execute('delete from http_soap where service_id=?', (service_id,))
        connection.execute('delete from channel_web_socket where service_id=?', (service_id,))
        for job in connection.execute('select id from job where service_id=?', (service_id,)).fetchall():
            jobs.delete(connection, job.id)
        connection.execute('delete from service where id=?', (service_id,))


def own_classes(module, base):
    return [item for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__]


def has_models(module):
    return bool(own_classes(module, Model))
