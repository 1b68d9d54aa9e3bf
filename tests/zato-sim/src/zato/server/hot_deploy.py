"""Hot deployment: which files are deployed at boot, and what happens when one of them changes."""

import base64
import logging
import os
import sys
import threading
import time
from pathlib import Path

from zato.server.service import internal

# Without this variable no observer can be started: a defect of the real thing.
SNAPSHOTS_VARIABLE = 'ZATO_HOT_DEPLOY_PREFER_SNAPSHOTS'

DEFAULT_INTERVAL = 1.1

USER_PREFIX = 'hot-deploy.user'

logger = logging.getLogger('zato.hot-deploy.create')
observer_logger = logging.getLogger('zato.file-transfer.observer')


def environment_directories(environ):
    """Directories whose files run in place: colon lists in ZATO_HOT_DEPLOY_DIR, Zato_Hot_Deploy_Dir[_*]."""
    out = []
    for name in sorted(environ):
        if name == 'ZATO_HOT_DEPLOY_DIR' or name == 'Zato_Hot_Deploy_Dir' or name.startswith('Zato_Hot_Deploy_Dir_'):
            out += [item for item in environ[name].split(':') if item and item not in out]
    return out


def configured_directories(base, pickup_config):
    """Directories whose files run in place, too: `pickup_from` of each [hot-deploy.user.NAME] of pickup.conf."""
    return [os.path.normpath(os.path.join(base, os.path.expandvars(os.path.expanduser(section['pickup_from']))))
            for name, section in pickup_config.items() if name.startswith(USER_PREFIX) and section.get('pickup_from')]


def python_files(directory):
    if not os.path.isdir(directory):
        return []
    return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith('.py')]


def snapshot(directory):
    """What tells a changed file: symbolic links are followed, so that a ConfigMap's ..data swap is a change."""
    out = {}
    for path in python_files(directory):
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        out[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return out


class Observer(threading.Thread):
    """Polls one directory."""

    def __init__(self, directory, interval, on_change):
        super().__init__(daemon=True, name='observer')
        self.directory = directory
        self.interval = interval
        self.on_change = on_change
        self.baseline = snapshot(directory)

    def run(self):
        while True:
            time.sleep(self.interval)
            current = snapshot(self.directory)
            for path, status in current.items():
                if self.baseline.get(path) != status:
                    self.tell(path)
            self.baseline = current


    def tell(self, path):
        """What fails, because the database is gone for instance, does not end the observer."""
        try:
            self.on_change(path)
        except Exception:
            observer_logger.exception('Could not handle `%s`', path)


class HotDeploy:

    def __init__(self, server):
        self.server = server
        self.store = server.store
        self.pickup = os.path.join(server.directory, 'pickup/incoming/services')
        self.current = os.path.join(server.directory, 'work/hot-deploy/current')
        self.directories = list(dict.fromkeys(configured_directories(server.directory, server.pickup_config)
                                              + environment_directories(os.environ)))
        self.lock = threading.Lock()

    def boot(self, is_first_start):
        """Loads what is to serve from the start; returns the services. The pickup directory is not looked at, but for
        the demo in it when the server starts for the first time."""
        os.makedirs(self.current, exist_ok=True)
        demo = os.path.join(self.pickup, 'demo.py')
        if is_first_start and os.path.exists(demo):
            self.copy(demo)
        for directory in [self.current] + self.directories:
            if directory not in sys.path:
                sys.path.append(directory)
        services = []
        for directory in [self.current] + self.directories:
            for path in python_files(directory):
                loaded = self.store.load_file(path)
                services += loaded.services if loaded else []
        return services

    def fetch_missing(self):
        """What was deployed on other servers while this one was down or not there yet. Modules that seem to import it are
        touched here as well, but what cannot be touched keeps the server from starting: a defect of the real thing. At the
        next start the files are there, and nothing is fetched."""
        missing = self.store.missing()
        if missing:
            logger.info('Found extra services to deploy: %s', ', '.join(sorted(row.name for row in missing.values())))
        for name, row in missing.items():
            path = self.write_current(name, row.source)
            if self.load(path):
                self.touch_importers(path, None, must_work=True)

    def observe(self):
        if SNAPSHOTS_VARIABLE not in os.environ:
            for directory in [self.pickup] + self.directories:
                observer_logger.warning('File observer for `%s` could not be started', directory)
            return
        interval = DEFAULT_INTERVAL
        if 'Zato_Hot_Deploy_Interval' in os.environ:
            interval = int(os.environ['Zato_Hot_Deploy_Interval'])
        Observer(self.pickup, interval, self.on_pickup).start()
        for directory in self.directories:
            Observer(directory, interval, self.deploy).start()

    def on_pickup(self, path):
        self.deploy(self.copy(path), is_copied=True)

    def copy(self, path):
        """A file from the pickup directory stays there; its copy is what is loaded, now and at each boot."""
        with open(path, 'rb') as file:
            return self.write_current(os.path.basename(path), file.read())

    def write_current(self, name, source):
        target = os.path.join(self.current, os.path.basename(name))
        with open(target, 'wb') as file:
            file.write(source)
        return target

    def deploy(self, path, is_copied=False):
        """Loads a new or changed file here, then on the other workers and servers. One file at a time."""
        with self.lock:
            previous = self.store.sources.get(path)
            if self.load(path):
                self.touch_importers(path, previous)
        message = {'action': 'hot-deploy', 'path': path}
        if is_copied:
            with open(path, 'rb') as file:
                message.update(name=os.path.basename(path), source=base64.b64encode(file.read()).decode())
        self.server.broadcast.send(message)

    def load(self, path):
        """Whether the file gave any services or models."""
        loaded = self.store.load_file(path)
        if not loaded or not (loaded.services or loaded.has_models):
            logger.info('No services nor models were deployed from module `%s`', os.path.basename(path))
            return False
        self.store.record(loaded.services)
        logger.info('Deployed %s from `%s`', [info.name for info in loaded.services] or 'models', path)
        return True

    def deploy_received(self, message):
        """A deployment that another worker or server did. A file that runs in place is loaded if it is there as well."""
        path = message['path']
        if message['is_from_server'] and 'source' in message:
            path = self.write_current(message['name'], base64.b64decode(message['source']))
        if not os.path.exists(path):
            return
        with self.lock:
            if message['is_from_server']:
                self.load(path)
            else:
                self.store.load_file(path)

    def touch_importers(self, path, previous, must_work=False):
        """Sets the times of every module that seems to import this one, so that it is loaded again. The test is plain
        text: some line holds `import` and the module's name. It hits files of the installation as well, which is
        harmless where they cannot be written. A file that was only touched itself touches no other."""
        if self.store.sources[path] == previous:
            return
        name = os.path.splitext(os.path.basename(path))[0]
        internal_paths = [item for directory in internal.__path__ for item in python_files(directory)]
        for other in internal_paths + [item for item in self.store.sources if item != path]:
            if not os.path.exists(other):
                continue
            try:
                if seems_to_import(other, name):
                    Path(other).touch()
            except OSError as error:
                logger.error('%s: %s: `%s`', type(error).__name__, error.strerror, other)
                if must_work:
                    raise


def seems_to_import(path, name):
    with open(path, encoding='utf8', errors='replace') as file:
        return any('import' in line and name in line for line in file)
