"""One server on SQLite made with `quickstart create`: startup callables, configuration overrides, SSO and its restore."""

import json
import os
import shutil
import sqlite3
import time

from . import fernet
from .cases_cluster import sso_login
from .lib import (Bag, Sqlite, api, case, check, deploy, fixture, free_port, http, ini, read, same,
                  service_source, tail, totp, write)

CALLABLES = '''import json, os

def _note(name, ctx):
    with open(os.environ['CONTRACT_TRACE'], 'a') as f:
        f.write(json.dumps([ctx.phase, name, sorted(ctx.kwargs), os.getpid()]) + '\\n')

def first(ctx):
    _note('first', ctx)
    if ctx.phase == 'fs-config-only':
        ctx.kwargs['server_config'].misc.http_server_header = 'Contract-Mutated'
        ctx.kwargs['sso_config'].password.min_length = 5

def raising(ctx):
    _note('raising', ctx)
    raise RuntimeError('contract-raised')

def last(ctx):
    _note('last', ctx)
'''

TOTP_KEY = 'KRUGKIDROVUWG2ZAMJZG653OEBTG66BA'
NAMES = [('zo\u00eb.m\u00fcller', 'Zo\u00eb', 'M\u00fcller'), ('ewa.zolc', 'Ewa', '\u017b\u00f3\u0142\u0107'), ('ami', '\u6797', '\u6674')]


def quickstart(ctx, name, key=None):
    path = os.path.join(ctx.root, name)
    args = ['quickstart', 'create', path, '--odb-type', 'sqlite', '--cluster-name', 'qs-' + name]
    if key:
        args += ['--secret-key=' + key]
    res = ctx.run(*args)
    same(res.rc, 0, 'quickstart create: ' + tail(res.out + res.err))
    server = os.path.join(path, 'server1')
    ctx.quiet(server)
    return Bag(path=path, server=server, res=res, db=Sqlite(os.path.join(path, 'zato.db')),
               key=ini(os.path.join(server, 'config/repo/secrets.conf'))['secret_keys']['key1'])


@fixture
def single(ctx):
    q = quickstart(ctx, 'qs')
    q.port = free_port()
    q.trace = os.path.join(ctx.root, 'trace.txt')
    q.ext = os.path.join(ctx.root, 'ext')
    write(os.path.join(q.ext, 'contract_hooks.py'), CALLABLES)
    conf = os.path.join(q.server, 'config/repo/server.conf')
    write(conf, read(conf).replace('server_header=Zato', 'server_header=$Contract_Header'))
    # users can be made before any server has ever run
    q.super = ctx.run('sso', 'create-super-user', q.server, 'chief', '--email', 'chief@example.com', '--password', 'Chief-passw0rd')
    q.user = ctx.run('sso', 'create-user', q.server, 'regular', '--email', 'regular@example.com', '--password', 'Regular-passw0rd')
    q.user_again = ctx.run('sso', 'create-user', q.server, 'regular', '--email', 'r@example.com', '--password', 'Regular-passw0rd')
    q.nobody = ctx.run('sso', 'lock-user', q.server, 'nobody')
    q.proc = ctx.start_server(q.server, q.port, 'single', env={
        'PYTHONPATH': q.ext, 'CONTRACT_TRACE': q.trace, 'Contract_Header': 'x',
        'Zato_Config_Server_server__conf_misc_startup_callable':
            'contract_hooks.first, contract_hooks.raising, contract_no_such.module, nodot, contract_hooks.missing, contract_hooks.last',
        'Zato_Config_Server_server__conf_misc_default_error_message': 'contract-override',
        'Zato_Config_Server_server__conf_http_response_code_404_message': 'contract-404',
        'Zato_Config_Unknown_sso__conf_apps_all': 'CRM, Extra',
        'Zato_Config_Unknown_sso__conf_apps_login_allowed': 'CRM, Extra',
        'Zato_Config_Server_sso__conf_apps_inform_if_app_invalid': 'False'})
    q.ready = ctx.ready(q.proc, q.port)
    q.calls = [json.loads(line) for line in read(q.trace).splitlines()] if os.path.exists(q.trace) else []
    return q


@case('QS-01', '`quickstart create` with SQLite: rc 0, all components, zato.db beside them, dashboard password on stdout', 'single')
def _(ctx, q):
    for name in ('server1', 'scheduler', 'web-admin', 'load-balancer', 'zato.db', 'zato-qs-start.sh', 'zato-qs-stop.sh'):
        check(os.path.exists(os.path.join(q.path, name)), 'no ' + name)
    check('password' in (q.res.out + q.res.err).lower() and 'admin' in q.res.out + q.res.err, 'no password on stdout')
    same(ini(os.path.join(q.server, 'config/repo/server.conf'))['odb']['engine'], 'sqlite', 'engine')


@case('QS-02', '`quickstart create` into a directory that is not empty fails (rc is not 0)', 'single')
def _(ctx, q):
    res = ctx.run('quickstart', 'create', q.path, '--odb-type', 'sqlite', '--cluster-name', 'again')
    check(res.rc != 0, 'rc 0')
    return 'rc %d' % res.rc


# ---------------------------------------------------------------------------------------- startup callables

@case('HOOK-01', 'phases in order: fs-config-only, impl-before-run, before-post-fork, in-process-first, after-started', 'single')
def _(ctx, q):
    seen = []
    for phase, *_ in q.calls:
        if phase not in seen:
            seen.append(phase)
    same(seen, ['fs-config-only', 'impl-before-run', 'before-post-fork', 'in-process-first', 'after-started'], 'phases')


@case('HOOK-02', 'within each phase the callables run in list order', 'single')
def _(ctx, q):
    for phase in {x[0] for x in q.calls}:
        same([x[1] for x in q.calls if x[0] == phase], ['first', 'raising', 'last'], phase)


@case('HOOK-03', 'one that raises, a module or attribute that is missing and a name without a dot: a warning each, the server serves', 'single')
def _(ctx, q):
    log = q.proc.log()
    for part in ('contract-raised', 'Could not import startup callable `contract_no_such.module`',
                 'Invalid startup callable name `nodot`', 'Could not import startup callable `contract_hooks.missing`'):
        check(part in log, 'not in the log: ' + part)
    same(http(q.port, 'GET', '/zato/ping').status, 200, 'ping')


@case('HOOK-04', 'ctx.kwargs per phase: server_config, pickup_config, sio_config, sso_config, base_dir first, server at the end', 'single')
def _(ctx, q):
    kwargs = {x[0]: x[2] for x in q.calls}
    same(kwargs['fs-config-only'], ['base_dir', 'pickup_config', 'server_config', 'sio_config', 'sso_config'], 'fs-config-only')
    same(kwargs['impl-before-run'], ['zato_gunicorn_app'], 'impl-before-run')
    same(kwargs['before-post-fork'], ['arbiter', 'worker'], 'before-post-fork')
    same(kwargs['in-process-first'], ['server'], 'in-process-first')
    same(kwargs['after-started'], ['server'], 'after-started')


@case('HOOK-05', 'the first two phases run in the master (the executed process), the others in its worker', 'single')
def _(ctx, q):
    pids = {x[0]: x[3] for x in q.calls}
    same((pids['fs-config-only'], pids['impl-before-run']), (q.proc.pid, q.proc.pid), 'master')
    same(len({pids[x] for x in ('before-post-fork', 'in-process-first', 'after-started')} - {q.proc.pid}), 1, 'worker')


@case('HOOK-06', 'server_config changed in fs-config-only takes effect: the HTTP Server header is what the callable set', 'single')
def _(ctx, q):
    same(http(q.port, 'GET', '/zato/ping').headers.get('server'), 'Contract-Mutated', 'Server header')


@case('HOOK-07', 'sso_config changed in fs-config-only takes effect: a password of 5 characters is accepted over REST', 'single')
def _(ctx, q):
    ust = json.loads(sso_login(q.port, 'chief', 'Chief-passw0rd').text)['ust']
    resp = http(q.port, 'POST', '/zato/sso/user', {'ust': ust, 'current_app': 'CRM', 'username': 'shorty', 'password': 'aB3-x',
                                                   'auto_approve': True})
    same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), resp.text[:150])


# ---------------------------------------------------------------------------------------- configuration

@case('CONF-01', 'Zato_Config_Server_server__conf_<section>_<key> overrides a key of server.conf (gunicorn_bind among them)', 'single')
def _(ctx, q):
    conf = ini(os.path.join(q.server, 'config/repo/server.conf'))
    check(conf['main']['gunicorn_bind'] != '127.0.0.1:%d' % q.port, 'file was edited')
    same(http(q.port, 'GET', '/zato/ping').status, 200, 'ping on the overriding port')


@case('CONF-02', 'a value $NAME in server.conf is taken from the environment', 'single')
def _(ctx, q):
    same(http(q.port, 'GET', '/zato/ping').status, 200, 'ping')
    same(ini(os.path.join(q.server, 'config/repo/server.conf'))['http_response']['server_header'], '$Contract_Header', 'file')


@case('CONF-03', 'keys of sso.conf are overridden by Zato_Config_Unknown_sso__conf_<section>_<key>', 'single', quirk=True)
def _(ctx, q):
    resp = sso_login(q.port, 'regular', 'Regular-passw0rd', current_app='Extra')
    same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), 'login of an app which only the override knows')


@case('CONF-05', 'and by Zato_Config_Server_sso__conf_.., if the path of the server directory has "server" in it', 'single', quirk=True)
def _(ctx, q):
    resp = sso_login(q.port, 'regular', 'Regular-passw0rd', current_app='Other')
    data = json.loads(resp.text)
    # the default would be E004001
    same((resp.status, data['status'], data['sub_status']), (200, 'error', ['E005001']), 'an app that is not known, not to be told so')


# ---------------------------------------------------------------------------------------- SSO

@case('SSO-01', '`sso create-super-user` and `create-user` rc 0 before any server ever ran; again rc 20; unknown user rc 22', 'single')
def _(ctx, q):
    same((q.super.rc, q.user.rc, q.user_again.rc, q.nobody.rc), (0, 0, 20, 22), 'rcs')


@case('SSO-02', 'REST login: {"status":"ok","ust":..}; a wrong password is status error, sub_status ["E005001"]', 'single')
def _(ctx, q):
    resp = sso_login(q.port, 'regular', 'Regular-passw0rd')
    data = json.loads(resp.text)
    same((resp.status, data['status']), (200, 'ok'), 'login')
    check(data.get('ust', '').startswith('gAAAA'), 'ust')
    resp = sso_login(q.port, 'regular', 'wrong')
    data = json.loads(resp.text)
    same((data['status'], data['sub_status']), ('error', ['E005001']), 'wrong password')
    return 'wrong password: HTTP %d' % resp.status


@case('SSO-09', 'REST login without a User-Agent header is HTTP 500 (user_agent is NOT NULL in zato_sso_session)', 'single', quirk=True)
def _(ctx, q):
    body = {'username': 'regular', 'password': 'Regular-passw0rd', 'current_app': 'CRM'}
    resp = http(q.port, 'POST', '/zato/sso/user/login', body, headers={'User-Agent': None})
    same(resp.status, 500, 'status')
    check('user_agent' in resp.text, resp.text[:200])


@fixture
def people(ctx):
    """More users over REST, one of them with TOTP, and an attribute."""
    q = ctx.need('single')
    p = Bag(q=q)
    resp = sso_login(q.port, 'chief', 'Chief-passw0rd')
    check('"ust"' in resp.text, 'login of the super-user: %d %s' % (resp.status, resp.text[:200]))
    p.ust = json.loads(resp.text)['ust']
    p.created = []
    for i, (username, first, last) in enumerate(NAMES):
        body = {'ust': p.ust, 'current_app': 'CRM', 'username': username, 'password': 'Person-passw0rd-%d' % i, 'first_name': first,
                'last_name': last, 'display_name': first + ' ' + last, 'email': 'p%d@example.com' % i, 'auto_approve': True}
        p.created.append(http(q.port, 'POST', '/zato/sso/user', body))
    p.waiting = http(q.port, 'POST', '/zato/sso/user', {
        'ust': p.ust, 'current_app': 'CRM', 'username': 'waiting', 'password': 'Waiting-passw0rd'})
    p.totp = http(q.port, 'POST', '/zato/sso/user', {
        'ust': p.ust, 'current_app': 'CRM', 'username': 'totp', 'password': 'Totp-passw0rd', 'is_totp_enabled': True,
        'totp_key': TOTP_KEY, 'totp_label': 'phone', 'auto_approve': True})
    p.me = json.loads(http(q.port, 'GET', '/zato/sso/user', {'ust': p.ust, 'current_app': 'CRM'}).text)
    p.attr = http(q.port, 'POST', '/zato/sso/user/attr', {
        'ust': p.ust, 'current_app': 'CRM', 'user_id': p.me.get('user_id'), 'name': 'shelf', 'value': 'A-1'})
    p.attr_encrypted = http(q.port, 'POST', '/zato/sso/user/attr', {
        'ust': p.ust, 'current_app': 'CRM', 'user_id': p.me.get('user_id'), 'name': 'secret', 'value': 'B-2', 'encrypt': True})
    return p


@case('SSO-03', 'POST /zato/sso/user with a super-user UST and auto_approve makes users (non-ASCII names too) who log in', 'people')
def _(ctx, p):
    for i, resp in enumerate(p.created):
        same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), resp.text[:150])
        login = sso_login(p.q.port, NAMES[i][0], 'Person-passw0rd-%d' % i)
        same(json.loads(login.text)['status'], 'ok', NAMES[i][0])
    row = p.q.db.rows('select first_name, last_name, first_name_upper from zato_sso_user where username=?', (NAMES[1][0],))
    same(row, [(NAMES[1][1], NAMES[1][2], NAMES[1][1].upper())], 'row')


@case('SSO-04', 'without auto_approve the user has approval_status before_decision and cannot log in', 'people')
def _(ctx, p):
    same(p.q.db.rows("select approval_status from zato_sso_user where username='waiting'"), [('before_decision',)], 'row')
    same(json.loads(sso_login(p.q.port, 'waiting', 'Waiting-passw0rd').text)['status'], 'error', 'login')


@case('SSO-05', 'a TOTP user needs the right totp_code', 'people')
def _(ctx, p):
    same(json.loads(p.totp.text).get('status'), 'ok', 'create: ' + p.totp.text[:150])
    bare = sso_login(p.q.port, 'totp', 'Totp-passw0rd')
    check(json.loads(bare.text)['status'] != 'ok', 'login without a code')
    good = sso_login(p.q.port, 'totp', 'Totp-passw0rd', totp_code=totp(TOTP_KEY))
    same(json.loads(good.text)['status'], 'ok', 'login with the code: ' + good.text[:150])
    return 'without a code: HTTP %d %s' % (bare.status, json.loads(bare.text).get('sub_status'))


@case('SSO-06', 'password, email, totp_key and totp_label in zato_sso_user are Fernet tokens of key1; the password is a PBKDF2 hash inside',
      'people')
def _(ctx, p):
    row = p.q.db.rows("select password, email, totp_key, totp_label from zato_sso_user where username='totp'")[0]
    clear = [fernet.decrypt(p.q.key, v).decode() if v else v for v in row]
    check(clear[0].startswith('$pbkdf2-sha512$'), 'password: %r' % clear[0][:16])
    same(clear[2:], [TOTP_KEY, 'phone'], 'totp_key, totp_label')
    row = p.q.db.rows("select email from zato_sso_user where username='regular'")[0]
    same(fernet.decrypt(p.q.key, row[0]).decode(), 'regular@example.com', 'email')


@case('SSO-07', 'POST /zato/sso/user/attr with a super-user UST stores an attribute, its value as JSON text', 'people')
def _(ctx, p):
    same(json.loads(p.attr.text).get('status'), 'ok', p.attr.text[:150])
    row = p.q.db.rows("select value, is_encrypted, user_id, serial_method from zato_sso_attr where name='shelf'")
    same(row, [('"A-1"', 0, p.me['user_id'], 'json')], 'row')


@case('SSO-10', 'with "encrypt": true it is refused: HTTP 403, E008002, no row', 'people', quirk=True)
def _(ctx, p):
    same(p.attr_encrypted.status, 403, 'status')
    same(json.loads(p.attr_encrypted.text)['sub_status'], ['E008002'], 'sub_status')
    same(p.q.db.rows("select count(*) from zato_sso_attr where name='secret'"), [(0,)], 'rows')


@case('SSO-08', '`sso login` of the CLI asks for no password, so it proves nothing', 'people', quirk=True)
def _(ctx, p):
    same(ctx.run('sso', 'login', p.q.server, 'regular').rc, 0, 'rc')


# ---------------------------------------------------------------------------------------- restore

@fixture
def restored(ctx):
    """Three environments for the users of `single`: made with its key, with another key, with its secrets.conf."""
    p = ctx.need('people')
    q = p.q
    r = Bag(q=q, tables={})
    source = sqlite3.connect(q.db.path)
    order = ('zato_sso_user', 'zato_sso_group', 'zato_sso_user_group', 'zato_sso_session', 'zato_sso_attr', 'zato_sso_password_reset')
    data = {}
    for table in order:
        cur = source.execute('select * from %s order by id' % table)
        data[table] = ([d[0] for d in cur.description], cur.fetchall())
        r.tables[table] = len(data[table][1])
    source.close()

    def load(env):
        conn = sqlite3.connect(env.db.path)
        for table in order:
            columns, rows = data[table]
            conn.executemany('insert into %s (%s) values (%s)' % (table, ', '.join(columns), ', '.join('?' * len(columns))), rows)
        conn.commit()
        conn.close()

    r.same = quickstart(ctx, 'samekey', q.key)
    r.other = quickstart(ctx, 'otherkey')
    for env in (r.same, r.other):
        load(env)
    r.whole = os.path.join(ctx.root, 'otherkey', 'server1-whole')
    shutil.copytree(r.other.server, r.whole)
    shutil.copy(os.path.join(q.server, 'config/repo/secrets.conf'), os.path.join(r.whole, 'config/repo/secrets.conf'))

    r.port_same, r.port_other = free_port(), free_port()
    r.proc_same = ctx.start_server(r.same.server, r.port_same, 'samekey', env={'ZATO_HOT_DEPLOY_PREFER_SNAPSHOTS': None})
    r.proc_other = ctx.start_server(r.other.server, r.port_other, 'otherkey')
    ctx.ready(r.proc_same, r.port_same)
    ctx.ready(r.proc_other, r.port_other)
    return r


@case('RESTORE-01', 'rows INSERTed into a new environment created with the old --secret-key: every user logs in', 'restored')
def _(ctx, r):
    same(r.same.key, r.q.key, 'key1')
    for username, password in [('chief', 'Chief-passw0rd'), ('regular', 'Regular-passw0rd')] + [
            (NAMES[i][0], 'Person-passw0rd-%d' % i) for i in range(len(NAMES))]:
        resp = sso_login(r.port_same, username, password)
        same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), username)
    resp = sso_login(r.port_same, 'totp', 'Totp-passw0rd', totp_code=totp(TOTP_KEY))
    same(json.loads(resp.text).get('status'), 'ok', 'TOTP user')
    return '%d tables, %d users' % (len(r.tables), r.tables['zato_sso_user'])


@case('RESTORE-02', 'after that restore new users can be created as well', 'restored')
def _(ctx, r):
    res = ctx.run('sso', 'create-user', r.same.server, 'later', '--email', 'l@example.com', '--password', 'Later-passw0rd')
    same(res.rc, 0, 'rc: ' + tail(res.out + res.err))
    same(json.loads(sso_login(r.port_same, 'later', 'Later-passw0rd').text)['status'], 'ok', 'login')


@case('RESTORE-03', 'with another key the server starts, but REST login of a restored user is HTTP 500; `sso login` is rc 0 all the same', 'restored')
def _(ctx, r):
    same(sso_login(r.port_other, 'regular', 'Regular-passw0rd').status, 500, 'login')
    same(ctx.run('sso', 'login', r.other.server, 'regular').rc, 0, 'rc of sso login')


@case('RESTORE-04', "the old secrets.conf copied wholesale into a new environment: exit 3, 'Could not find server in ODB'", 'restored')
def _(ctx, r):
    proc = ctx.start_server(r.whole, free_port(), 'whole')
    same(proc.wait(120), 3, 'exit code')
    check('Could not find server in ODB' in proc.log(), tail(proc.log()))


@fixture
def deaf(ctx):
    d = quickstart(ctx, 'deaf')
    d.port = free_port()
    d.proc = ctx.start_server(d.server, d.port, 'deaf', env={'ZATO_HOT_DEPLOY_PREFER_SNAPSHOTS': None})
    ctx.ready(d.proc, d.port)
    return d


@case('DEPLOY-10', 'without ZATO_HOT_DEPLOY_PREFER_SNAPSHOTS the file observers fail at start and dropped files are ignored', 'deaf', quirk=True)
def _(ctx, d):
    check('could not be started' in d.proc.log(), 'no such line in the log')
    deploy(os.path.join(d.server, 'pickup/incoming/services'), 'contract_deaf.py', service_source('contract.deaf', 'x'))
    # the command looks up the address of the server in server.conf, so it needs the same override
    res = ctx.run('change-password', '--path', d.server, '--name', 'pubapi', '--password', 'pub-pw-1', env={
        'Zato_Config_Server_server__conf_main_gunicorn_bind': '127.0.0.1:%d' % d.port})
    same(res.rc, 0, 'rc: ' + tail(res.out + res.err))
    time.sleep(4)
    same(api(d.port, 'contract.deaf', {}).status, 400, 'status')


@case('RESTORE-05', 'a zato_sso_linked_auth row of an unknown auth_type keeps the server from starting: exit 3', 'restored', quirk=True)
def _(ctx, r):
    r.proc_other.term()
    r.proc_other.wait(60)
    user_id = r.other.db.rows("select user_id from zato_sso_user where username='regular'")[0][0]
    r.other.db.rows("insert into zato_sso_linked_auth (id, is_active, is_internal, creation_time, has_ext_principal, auth_type, auth_id, "
                    "auth_source, user_id) values (1, 1, 0, '2026-01-01 00:00:00', 0, 'basic_auth', 1, 'reserved', ?)", (user_id,))
    proc = ctx.start_server(r.other.server, free_port(), 'linked')
    same(proc.wait(120), 3, 'exit code')
    r.other.db.rows('delete from zato_sso_linked_auth')


# ---------------------------------------------------------------------------------------- callables that end the server, other configuration

ENDING = '''import os
from gevent.monkey import get_original

def call(ctx):
    phase, how = os.environ['CONTRACT_END'].split()
    if ctx.phase != phase:
        return
    if how == 'exit':
        os._exit(3)
    sleep = get_original('time', 'sleep')
    def watchdog():
        sleep(2)
        os._exit(3)
    get_original('_thread', 'start_new_thread')(watchdog, ())
    while True:
        pass
'''

CHANGING = '''import os
from bunch import bunchify

def call(ctx):
    if ctx.phase == 'fs-config-only':
        ctx.kwargs['sio_config'].int_config.suffixes.add('_contract')
        ctx.kwargs['pickup_config']['hot-deploy.user.contract'] = bunchify({'pickup_from': os.environ['CONTRACT_PICKUP']})
'''

TYPES = '''from zato.server.service import Service

class Svc(Service):
    name = 'contract.types'

    class SimpleIO:
        input_required = 'a_contract', 'b_id', 'is_c', 'd'

    def handle(self):
        i = self.request.input
        self.response.payload = {'answer': [type(x).__name__ for x in (i.a_contract, i.b_id, i.is_c, i.d)]}
'''

PIDS = '''import os
from zato.server.service import Service

class Svc(Service):
    name = 'contract.pid'

    def handle(self):
        self.response.payload = {'answer': '%s %%s' %% os.getpid()}
'''


@fixture
def hooks(ctx):
    h = quickstart(ctx, 'hooks')
    h.ext = os.path.join(ctx.root, 'ext-hooks')
    h.pickup = os.path.join(ctx.root, 'pickup-hooks')
    os.makedirs(h.pickup)
    write(os.path.join(h.ext, 'contract_ending.py'), ENDING)
    write(os.path.join(h.ext, 'contract_changing.py'), CHANGING)
    deploy(h.pickup, 'contract_types.py', TYPES)
    return h


def start_hooks(ctx, h, callable_, **env):
    h.port = free_port()
    return ctx.start_server(h.server, h.port, 'hooks', env=dict({
        'PYTHONPATH': h.ext, 'Zato_Config_Server_server__conf_misc_startup_callable': callable_}, **env))


@case('HOOK-08', 'a callable that calls os._exit(3) ends the server with exit 3, in the master and in the worker, without a respawn', 'hooks')
def _(ctx, h):
    for phase in ('fs-config-only', 'before-post-fork', 'after-started'):
        proc = start_hooks(ctx, h, 'contract_ending.call', CONTRACT_END=phase + ' exit')
        same(proc.wait(60), 3, phase)


@case('HOOK-09', 'a watchdog on a thread of the operating system can end a callable that spins: exit 3', 'hooks')
def _(ctx, h):
    for phase in ('fs-config-only', 'after-started'):
        proc = start_hooks(ctx, h, 'contract_ending.call', CONTRACT_END=phase + ' spin')
        same(proc.wait(60), 3, phase)


@case('HOOK-10', 'sio_config and pickup_config changed in fs-config-only take effect: a new integer suffix, a directory that is deployed from', 'hooks')
def _(ctx, h):
    proc = start_hooks(ctx, h, 'contract_changing.call', CONTRACT_PICKUP=h.pickup)
    try:
        ctx.ready(proc, h.port)
        bind = {'Zato_Config_Server_server__conf_main_gunicorn_bind': '127.0.0.1:%d' % h.port}
        same(ctx.run('change-password', '--path', h.server, '--name', 'pubapi', '--password', 'pub-pw-1', env=bind).rc, 0, 'password')
        resp = api(h.port, 'contract.types', {'a_contract': '1', 'b_id': '2', 'is_c': 'true', 'd': '4'})
        same(resp.status, 200, 'status')
        same(json.loads(resp.text)['answer'], ['int', 'int', 'bool', 'str'], 'types')
    finally:
        proc.kill()


@fixture
def workers(ctx):
    w = quickstart(ctx, 'workers')
    w.port = free_port()
    return w


@case('DEPLOY-11', 'two gunicorn workers: a changed file replaces the service in both', 'workers')
def _(ctx, w):
    bind = {'Zato_Config_Server_server__conf_main_gunicorn_bind': '127.0.0.1:%d' % w.port}
    proc = ctx.start_server(w.server, w.port, 'workers', env={'Zato_Config_Server_server__conf_main_gunicorn_workers': '2'})
    try:
        ctx.ready(proc, w.port)
        same(ctx.run('change-password', '--path', w.server, '--name', 'pubapi', '--password', 'pub-pw-1', env=bind).rc, 0, 'password')
        target = os.path.join(w.server, 'pickup/incoming/services')
        for version in ('one', 'two'):
            deploy(target, 'contract_pid.py', PIDS % version)
            time.sleep(8)
            seen = set()
            for _ in range(60):
                resp = api(w.port, 'contract.pid')
                same(resp.status, 200, version)
                seen.add(json.loads(resp.text)['answer'])
            same({x.split()[0] for x in seen}, {version}, 'versions that answered')
            same(len(seen), 2, 'workers that answered')
    finally:
        proc.kill()
