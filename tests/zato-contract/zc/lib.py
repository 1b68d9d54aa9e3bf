"""Helpers: subprocesses with strict bookkeeping, loopback HTTP, databases, readiness."""

import base64
import collections
import hashlib
import hmac
import http.client as httpclient
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time

Result = collections.namedtuple('Result', 'rc out err argv secs')
Response = collections.namedtuple('Response', 'status headers body text whole')

EXEC_ARGS = 'Zato_Zato_Zato'.join([
    'fg=True', 'sync_internal=False', 'secret_key=', 'stderr_path=None', 'env_file=', 'stop_after=None'])

# Without a PostgreSQL server the cluster is one server on SQLite. See README.md.
ONE_SERVER = not os.environ.get('PG_HOST')

START_TIMEOUT = int(os.environ.get('CONTRACT_START_TIMEOUT', '180'))


class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


def check(cond, msg):
    if not cond:
        raise Failed(msg)


def same(got, want, what=''):
    if got != want:
        raise Failed('%s: expected %r, got %r' % (what or 'value', want, got))


def among(got, allowed, what=''):
    if got not in allowed:
        raise Failed('%s: expected one of %r, got %r' % (what or 'value', allowed, got))


def tail(text, size=300):
    return ' / '.join(text.strip().splitlines()[-4:])[-size:]


def wait_until(func, timeout, what, pause=0.25):
    """Polls `func` until it returns something true; returns (value, seconds)."""
    start = time.time()
    last = None
    while time.time() - start < timeout:
        try:
            last = func()
            if last:
                return last, time.time() - start
        except OSError as exc:
            last = exc
        time.sleep(pause)
    raise Failed('%s: not within %ss (last: %r)' % (what, timeout, last))


# ---------------------------------------------------------------------------------------- ports

_ports = set()
_ports_lock = threading.Lock()


def free_port():
    """A port that is free on the loopback now, was never handed out in this run and lies outside
    the range that the kernel uses for outgoing connections."""
    import random
    while True:
        port = random.randint(20000, 32000)
        with _ports_lock:
            if port in _ports:
                continue
            with socket.socket() as sock:
                try:
                    sock.bind(('127.0.0.1', port))
                except OSError:
                    continue
            _ports.add(port)
            return port


# ---------------------------------------------------------------------------------------- HTTP

def http(port, method, path, body=None, user=None, password=None, headers=None, timeout=30):
    headers = dict({'User-Agent': 'zato-contract'}, **(headers or {}))
    headers = {k: v for k, v in headers.items() if v is not None}
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode('utf8')
    if user is not None:
        cred = base64.b64encode(('%s:%s' % (user, password)).encode()).decode()
        headers['Authorization'] = 'Basic ' + cred
    conn = httpclient.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        conn.request(method, path, body=body, headers=headers)
        resp = conn.getresponse()
        try:
            data = resp.read()
            whole = True
        except httpclient.IncompleteRead as exc:      # what a real server does with an error: status, headers, no body
            data, whole = exc.partial, False
        return Response(resp.status, dict((k.lower(), v) for k, v in resp.getheaders()), data,
                        data.decode('utf8', 'replace'), whole)
    except httpclient.HTTPException as exc:
        raise OSError('HTTP: %r' % exc)
    finally:
        conn.close()




def tcp_open(port):
    try:
        with socket.create_connection(('127.0.0.1', port), timeout=1):
            return True
    except OSError:
        return False


# ---------------------------------------------------------------------------------------- files

def read(path):
    with open(path, encoding='utf8', errors='replace') as f:
        return f.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tmp = path + '.tmp-contract'
    with open(tmp, 'w', encoding='utf8') as f:
        f.write(text)
    os.replace(tmp, path)


def ini(path):
    """Reads a Zato .conf file well enough for the keys which the suite needs."""
    out, section = {}, None
    for line in read(path).splitlines():
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        if line.startswith('[') and line.endswith(']'):
            section = out.setdefault(line[1:-1], {})
        elif '=' in line and section is not None:
            key, value = line.split('=', 1)
            section[key.strip()] = value.split(' #')[0].strip()
    return out


def totp(key, when=None):
    secret = base64.b32decode(key + '=' * (-len(key) % 8))
    counter = struct.pack('>Q', int(when or time.time()) // 30)
    digest = hmac.new(secret, counter, hashlib.sha1).digest()
    pos = digest[-1] & 0xF
    return '%06d' % ((struct.unpack('>I', digest[pos:pos + 4])[0] & 0x7FFFFFFF) % 1000000)


# ---------------------------------------------------------------------------------------- databases

class Sqlite:
    kind = 'sqlite'

    def __init__(self, path):
        self.path = path

    def rows(self, sql, params=()):
        conn = sqlite3.connect(self.path, timeout=30)
        try:
            cur = conn.execute(sql, params)
            rows = cur.fetchall()
            conn.commit()
            return rows
        finally:
            conn.close()

    def tables(self):
        return {r[0] for r in self.rows("select name from sqlite_master where type='table'")}


class SqliteOdb(Sqlite):
    """SQLite in the place of PostgreSQL: the same flags, and rows as psql prints them."""
    password = 'sqlite-pw-1'

    def rows(self, sql):
        return [tuple('' if value is None else str(value) for value in row) for row in super().rows(sql)]

    def flags(self):
        return ['--odb-type', 'sqlite', '--sqlite-path', self.path, '--odb-db-name', self.path, '--odb-password', self.password]

    def keys(self):
        return dict(odb_type='sqlite', sqlite_path=self.path, odb_db_name=self.path, odb_password=self.password, odb_host='',
                    odb_port='', odb_user='', postgresql_schema='')


class Postgres:
    """Talks to the server through the psql client."""
    kind = 'postgresql'

    def __init__(self, host, port, user, password, db):
        self.host, self.port, self.user, self.password, self.db = host, port, user, password, db

    def raw(self, sql, db=None, user=None, password=None):
        env = dict(os.environ, PGPASSWORD=password or self.password, PGCLIENTENCODING='UTF8')
        proc = subprocess.run(
            ['psql', '-X', '-q', '-A', '-t', '-F', '\x1f', '-R', '\x1e', '-v', 'ON_ERROR_STOP=1', '-h', self.host,
             '-p', str(self.port), '-U', user or self.user, '-d', db or self.db, '-c', sql],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if proc.returncode:
            raise Failed('psql: ' + tail(proc.stderr.decode('utf8', 'replace')))
        return proc.stdout.decode('utf8')

    def rows(self, sql):
        out = self.raw(sql).rstrip('\n')
        return [tuple(line.rstrip('\n').split('\x1f')) for line in out.split('\x1e') if line.strip('\n')] if out else []

    def tables(self):
        return {r[0] for r in self.rows("select tablename from pg_tables where schemaname='public'")}

    def flags(self):
        return ['--odb-type', 'postgresql', '--odb-host', self.host, '--odb-port', str(self.port), '--odb-user',
                self.user, '--odb-db-name', self.db, '--odb-password', self.password]

    def keys(self):
        return dict(odb_type='postgresql', odb_host=self.host, odb_port=self.port, odb_user=self.user,
                    odb_db_name=self.db, odb_password=self.password)


class Mysql:
    """Talks to the server through the mysql (or mariadb) client."""
    kind = 'mysql'

    def __init__(self, host, port, user, password, db):
        self.host, self.port, self.user, self.password, self.db = host, port, user, password, db

    def raw(self, sql, db=None, user=None, password=None):
        password = self.password if password is None else password
        proc = subprocess.run(
            [shutil.which('mysql') or 'mariadb', '--no-defaults', '-N', '-B', '--default-character-set=utf8mb4', '-h',
             self.host, '-P', str(self.port), '-u', user or self.user, '-e', sql] + ([db or self.db] if (db or self.db) else []),
            env=dict(os.environ, MYSQL_PWD=password), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60)
        if proc.returncode:
            raise Failed('mysql: ' + tail(proc.stderr.decode('utf8', 'replace')))
        return proc.stdout.decode('utf8')

    def rows(self, sql):
        return [tuple(line.split('\t')) for line in self.raw(sql).splitlines()]

    def tables(self):
        return {r[0] for r in self.rows('show tables')}

    def flags(self):
        return ['--odb-type', 'mysql', '--odb-host', self.host, '--odb-port', str(self.port), '--odb-user',
                self.user, '--odb-db-name', self.db, '--odb-password', self.password]


# ---------------------------------------------------------------------------------------- processes

class Proc:
    """A process in a session of its own, its output in a file. kill() reaches its whole session and
    nothing else."""

    def __init__(self, ctx, name, argv, env=None, cwd=None):
        if ctx.closed:
            raise Skip('the run has ended')
        self.name = name
        self.log_path = os.path.join(ctx.root, 'log-%s-%d.txt' % (name, len(ctx.procs)))
        self.started = time.time()
        with open(self.log_path, 'wb') as log:
            self.popen = subprocess.Popen(argv, env=env, cwd=cwd or ctx.root, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, start_new_session=True)
        self.pid = self.popen.pid
        ctx.procs.append(self)

    def log(self):
        return re.sub(r'\x1b\[[0-9;]*m', '', read(self.log_path))

    def alive(self):
        return self.popen.poll() is None

    def term(self):
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout=60):
        """The exit code, or Failed."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed('%s (started by the suite) did not exit within %ss' % (self.name, timeout))

    def kill(self):
        """Ends whatever is left of the session that this process leads."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, sig)
            except (ProcessLookupError, PermissionError):
                break
            for _ in range(30):
                self.popen.poll()
                try:
                    os.killpg(self.pid, 0)
                except (ProcessLookupError, PermissionError):
                    return
                time.sleep(0.1)
        self.popen.poll()


class Ctx:
    """One run: settings, temp dir, processes, fixtures."""

    def __init__(self):
        self.zato = os.environ.get('ZATO_BIN') or 'zato'
        self.python = os.environ.get('ZATO_PYTHON') or ''
        self.root = os.path.realpath(tempfile.mkdtemp(prefix='zato-contract-'))
        self.closed = False
        self.procs = []
        self.extra_pids = []       # daemons that left their session, by pidfile
        self.drop = []             # callables which remove databases
        self._fixtures = {}
        self._lock = threading.Lock()
        self.tag = '%d%s' % (os.getpid(), hex(int(time.time()))[-4:])
        self.notes = []

    # -- environment variables

    def env(self, **extra):
        env = {k: v for k, v in os.environ.items() if not k.lower().startswith('zato')}
        env['PATH'] = os.path.dirname(os.path.abspath(shutil.which(self.zato) or self.zato)) + os.pathsep + env.get('PATH', '')
        env['ZATO_HOT_DEPLOY_PREFER_SNAPSHOTS'] = '1'
        for key, value in extra.items():
            if value is None:
                env.pop(key, None)
            else:
                env[key] = str(value)
        return env

    # -- commands

    def run(self, *args, timeout=180, cwd=None, env=None):
        if self.closed:
            raise Skip('the run has ended')
        start = time.time()
        try:
            proc = subprocess.run([self.zato] + [str(a) for a in args], env=self.env(**(env or {})), cwd=cwd or self.root,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed('zato %s: no end within %ss' % (' '.join(map(str, args[:2])), timeout))
        return Result(proc.returncode, proc.stdout.decode('utf8', 'replace'), proc.stderr.decode('utf8', 'replace'),
                      args, time.time() - start)

    def from_config(self, name, keys):
        path = os.path.join(self.root, name + '.cfg')
        write(path, '\n'.join('%s=%s' % kv for kv in keys.items()))
        return self.run('from-config', path)

    # -- servers

    def start_server(self, path, port, name=None, env=None, wrapper=False):
        """`python -m zato.server.main` (or `zato start --fg`), bound to a free loopback port."""
        path = os.path.abspath(path)
        over = {'Zato_Config_Server_server__conf_main_gunicorn_bind': '127.0.0.1:%d' % port,
                'Zato_Config_Server_server__conf_main_ipc_port_start': str(free_port())}
        over.update(env or {})
        argv = [self.zato, 'start', path, '--fg'] if wrapper else [self.python, '-m', 'zato.server.main', path, EXEC_ARGS]
        return Proc(self, name or os.path.basename(path), argv, env=self.env(**over))

    def ready(self, proc, port, timeout=START_TIMEOUT):
        """Seconds until GET /zato/ping gave 200."""
        def ping():
            if not proc.alive():
                raise Failed('%s exited with %s before it was ready: %s' % (
                    proc.name, proc.popen.returncode, tail(proc.log(), 500)))
            return http(port, 'GET', '/zato/ping', timeout=5).status == 200
        return wait_until(ping, timeout, proc.name + ' ready', 0.3)[1]

    def quiet(self, server_path):
        """Takes out the startup service that would look for updates on the Internet."""
        path = os.path.join(server_path, 'config', 'repo', 'server.conf')
        text = read(path)
        write(path, re.sub(r'(?m)^zato\.updates\.check-updates=.*\n', '', text))

    # -- fixtures

    def need(self, name):
        """The fixture; built once, on a thread, whoever asks first. Raises what the builder raised."""
        return self.begin(name).get()

    def begin(self, name):
        with self._lock:
            fut = self._fixtures.get(name)
            if fut is None:
                fut = self._fixtures[name] = _Lazy(FIXTURES[name], self)
        return fut

    # -- end

    def close(self):
        self.closed = True
        for fut in self._fixtures.values():      # one that is still being built starts nothing more
            fut.thread.join(30)
        for proc in reversed(self.procs):
            proc.kill()
        for path in self.extra_pids:
            try:
                os.kill(int(read(path).strip()), signal.SIGTERM)
            except (OSError, ValueError):
                pass
        for func in self.drop:
            try:
                func()
            except Exception as exc:
                print('note: could not drop a test database: %s' % exc)
        if not os.environ.get('CONTRACT_KEEP'):
            shutil.rmtree(self.root, ignore_errors=True)


class _Lazy:
    def __init__(self, func, ctx):
        self.value = self.error = None
        self.thread = threading.Thread(target=self._run, args=(func, ctx), daemon=True)
        self.thread.start()

    def _run(self, func, ctx):
        try:
            self.value = func(ctx)
        except BaseException as exc:
            self.error = exc

    def get(self):
        self.thread.join()
        if self.error:
            if isinstance(self.error, (Skip, Failed)):
                raise type(self.error)('fixture: %s' % self.error)
            raise self.error
        return self.value


FIXTURES = {}
CASES = []
Case = collections.namedtuple('Case', 'id title group needs func slow quirk')


def fixture(func):
    FIXTURES[func.__name__] = func
    return func


def case(id, title, needs=(), slow=False, quirk=False):
    """quirk: a defect of the real thing that an operator has to live with."""
    def deco(func):
        CASES.append(Case(id, title, id.split('-')[0], (needs,) if isinstance(needs, str) else tuple(needs), func, slow, quirk))
        return func
    return deco


class Bag:
    """Attribute bag for what a fixture saw."""
    def __init__(self, **kw):
        self.__dict__.update(kw)


# ---------------------------------------------------------------------------------------- API of a server

def admin_invoke(port, service, payload=None, password='adm-pw-1', timeout=60):
    """POST /zato/admin/invoke; returns (raw response, decoded payload or None)."""
    body = {'name': service, 'payload': base64.b64encode(json.dumps(payload or {}).encode()).decode(),
            'channel': 'invoke', 'data_format': 'json', 'transport': None}
    resp = http(port, 'POST', '/zato/admin/invoke', body, 'admin.invoke', password, timeout=timeout)
    data = None
    if resp.status == 200:
        inner = json.loads(resp.text).get('response')
        if inner:
            inner = base64.b64decode(inner).decode('utf8')
            try:
                data = json.loads(inner)
            except ValueError:
                data = inner
    return resp, data


def unwrap(data):
    """Internal services put their answer in one top-level element, e.g. zato_server_get_list_response."""
    if isinstance(data, dict) and len(data) == 1 and list(data)[0].endswith('_response'):
        return list(data.values())[0]
    return data


def api(port, service, payload=None, user='pubapi', password='pub-pw-1', method='POST', timeout=30):
    return http(port, method, '/zato/api/invoke/' + service, payload, user, password, timeout=timeout)


def deploy(path, name, text):
    target = os.path.join(path, name)
    with open(target, 'w', encoding='utf8') as f:
        f.write(text)
    return target


def service_source(name, answer):
    return ("from zato.server.service import Service\n\n"
            "class Svc(Service):\n    name = %r\n\n"
            "    def handle(self):\n        self.response.payload = {'answer': %r}\n" % (name, answer))
