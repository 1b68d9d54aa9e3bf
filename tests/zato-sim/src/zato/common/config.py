"""Configuration files: the .conf format, overrides from the environment, `$NAME` values and secrets."""

import logging
import os
import re

from zato.common import crypto
from zato.common.bunch import Bunch

SECRET = 'zato+secret://zato.'

# A component is looked for as text, in this order.
COMPONENTS = (('server', 'Server'), ('scheduler', 'Scheduler'), ('web-admin', 'Dashboard'), ('dashboard', 'Dashboard'),
              ('user-conf', 'User_Config'))

logger = logging.getLogger('zato')


def repo_path(directory, file_name):
    return os.path.join(directory, 'config', 'repo', file_name)


def parse(text):
    """Sections of keys and values; a value that is one quoted text loses its quotes."""
    out, section = Bunch(), None
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        if line.startswith('[') and line.endswith(']'):
            section = out.setdefault(line[1:-1], Bunch())
        elif section is not None and '=' in line:
            key, value = line.split('=', 1)
            section[key.strip()] = unquote(value.strip())
    return out


def unquote(value):
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]:
        return value[1:-1]
    return value


def split_list(value):
    """The items of a comma list."""
    return [unquote(item.strip()) for item in value.split(',') if item.strip()]


def component_of(text):
    for part, component in COMPONENTS:
        if part in text:
            return component
    return 'Unknown'


def override(config, path, environ):
    """Zato_Config_<Component>_<file__conf>_<section>_<key>: the component is looked for in the full path, then in the
    bare file name. What is left over is taken literally: two underscores in a key stay two underscores."""
    file_name = os.path.basename(path)
    stem = file_name.replace('.', '__').replace('-', '__')
    sections = sorted(config, key=len, reverse=True)
    for component in dict.fromkeys((component_of(path), component_of(file_name))):
        prefix = 'Zato_Config_%s_%s_' % (component, stem)
        for name in environ:
            if not name.startswith(prefix):
                continue
            rest = name[len(prefix):]
            section = next((item for item in sections if rest.startswith(item + '_')), rest.split('_')[0])
            key = rest[len(section) + 1:]
            config.setdefault(section, Bunch())[key] = environ[name]


def expand(config, environ):
    """`$NAME` as a whole value comes from the environment. If that lacks it, the value stays as it is."""
    for section in config.values():
        for key, value in section.items():
            if value.startswith('$$'):
                section[key] = value[1:]
            elif re.fullmatch(r'\$\w+', value):
                name = value[1:]
                found = environ.get(name, environ.get(name.upper()))
                if found is None:
                    logger.warning('Environment variable `%s` not found, config key `%s`', name, key)
                else:
                    section[key] = found


def load(path, environ=os.environ):
    with open(path) as file:
        config = parse(file.read())
    override(config, path, environ)
    expand(config, environ)
    return config


def load_server(directory, environ=os.environ):
    """server.conf of a server's directory with its secrets resolved, and key1."""
    with open(repo_path(directory, 'secrets.conf')) as file:
        secrets = parse(file.read())
    key = secrets.secret_keys.key1
    config = load(repo_path(directory, 'server.conf'), environ)
    for section in config.values():
        for name, value in section.items():
            if value.startswith(SECRET):
                section[name] = crypto.decrypt(key, secrets.zato[value[len(SECRET):]])
    return config, key


def bind_address(config):
    host, port = config.main.gunicorn_bind.rsplit(':', 1)
    return host, int(port)


def is_true(value):
    return str(value).lower() in ('true', 'yes', 'on', '1')
