"""Two servers, scheduler, dashboard and load-balancer on one PostgreSQL ODB; or one server on SQLite (ONE_SERVER), which then
stands for both: `c.port2`, `c.path2` and `c.s2` are those of server1."""

import base64
import json
import os
import re
import shutil
import threading
import time

from . import fernet
from .cases_create import ADMIN_PW, new_key, new_pg, server_flags
from .lib import (ONE_SERVER, Bag, Proc, Skip, admin_invoke, among, api, case, check, deploy, fixture, free_port, http, read,
                  same, service_source, tail, tcp_open, unwrap, wait_until, write)

FAST = 20          # seconds that a change may take to be seen


def swap(base, label, files):
    """What the kubelet does to a mounted ConfigMap: new directory, then `..data` renamed over."""
    target = os.path.join(base, '..' + label)
    os.makedirs(target)
    for name, text in files.items():
        deploy(target, name, text)
        link = os.path.join(base, name)
        if not os.path.islink(link):
            os.symlink('..data/' + name, link)
    tmp = os.path.join(base, '..data_tmp')
    os.symlink('..' + label, tmp)
    os.rename(tmp, os.path.join(base, '..data'))


def start_component(ctx, path, name):
    return Proc(ctx, name, [ctx.zato, 'start', path, '--fg'], env=ctx.env())


@fixture
def cluster(ctx):
    m = ctx.need('made')
    c = Bag(m=m, db=m.db, dir=m.dir, port1=m.port1, port2=m.port2)
    p = lambda name: os.path.join(m.dir, name)
    c.path1, c.path2 = p('server1'), p('server2')
    c.pickup1, c.pickup2 = [os.path.join(x, 'pickup/incoming/services') for x in (c.path1, c.path2)]
    for name in ('server1', 'server2', 'server3', 'server1-again'):
        ctx.quiet(p(name))

    c.cm = p('cm')
    os.makedirs(c.cm)
    swap(c.cm, 'v1', {'contract_cm.py': service_source('contract.cm', 'v1')})
    mounted = {'ZATO_HOT_DEPLOY_DIR': c.cm}

    c.s1 = ctx.start_server(c.path1, c.port1, 'server1', env=mounted if ONE_SERVER else None)
    c.tcp1 = wait_until(lambda: tcp_open(c.port1) or not c.s1.alive(), 120, 'server1 listening', 0.1)[1]
    c.ready1 = c.tcp1 + ctx.ready(c.s1, c.port1)

    if ONE_SERVER:
        c.path2, c.port2, c.pickup2, c.s2 = c.path1, c.port1, c.pickup1, c.s1
    else:
        c.s2 = ctx.start_server(c.path2, c.port2, 'server2', env=mounted)

    c.sched = start_component(ctx, p('scheduler'), 'scheduler')

    conf = p('web-admin/config/repo/web-admin.conf')
    data = json.loads(read(conf))
    data.update(host='127.0.0.1', port=m.dash_port)
    write(conf, json.dumps(data, indent=2))
    c.dash = start_component(ctx, p('web-admin'), 'web-admin')

    c.has_haproxy = bool(shutil.which('haproxy'))
    if c.has_haproxy:
        conf = p('lb/config/repo/zato.config')
        write(conf, read(conf).replace('bind 0.0.0.0:11223', 'bind 127.0.0.1:%d' % m.lb_port))
        conf = p('lb/config/repo/lb-agent.conf')
        data = json.loads(read(conf))
        data['port'] = m.agent_port
        write(conf, json.dumps(data, indent=2))
        ctx.extra_pids.append(p('lb/pidfile'))
        c.lb = start_component(ctx, p('lb'), 'load-balancer')

    c.ready2 = ctx.ready(c.s2, c.port2)
    c.pub = ctx.run('change-password', '--path', c.path1, '--name', 'pubapi', '--password', 'pub-pw-1')
    c.ide = ctx.run('set-ide-password', c.path1, '--password', 'ide-pw-1')
    return c


def both(c, service, answer, ports=None):
    for port in ports or (c.port1, c.port2):
        def ok():
            resp = api(port, service)
            return resp.status == 200 and json.loads(resp.text).get('answer') == answer
        wait_until(ok, FAST, '%s == %s on port of server%d' % (service, answer, 1 if port == c.port1 else 2))


# ---------------------------------------------------------------------------------------- start

@case('START-01', '`python -m zato.server.main PATH ARGS` serves; TCP is open well before /zato/ping answers 200', 'cluster')
def _(ctx, c):
    check(c.ready1 > c.tcp1, 'ready after %.1fs, TCP after %.1fs' % (c.ready1, c.tcp1))
    return 'first boot: TCP %.1fs, ready %.1fs' % (c.tcp1, c.ready1)


@case('START-02', 'a started server has up_status running, its bind and preferred address in table server', 'cluster')
def _(ctx, c):
    rows = c.db.rows("select name, up_status, bind_host, bind_port, preferred_address from server where name in "
                     "('server1','server2') order by 1")
    want = [('server1', 'running', '127.0.0.1', str(c.port1), '127.0.0.1'),
            ('server2', 'running', '127.0.0.1', str(c.port2), '127.0.0.1')]
    if ONE_SERVER:
        want[1] = ('server2', '', '', '', '')      # never started
    same(rows, want, 'rows')


@case('START-03', 'a running server has <dir>/pidfile with the PID of the process which was executed', 'cluster')
def _(ctx, c):
    same(int(read(os.path.join(c.path1, 'pidfile'))), c.s1.pid, 'pidfile')


@case('START-04', 'a server directory whose token is not in the ODB: exit 3, "Could not find server in ODB"', 'cluster')
def _(ctx, c):
    proc = ctx.start_server(os.path.join(c.dir, 'server1-again'), free_port(), 'server1-again')
    same(proc.wait(120), 3, 'exit code')
    check('Could not find server in ODB' in proc.log(), 'message missing: ' + tail(proc.log()))


@case('START-05', 'an ODB that refuses the password: `zato start --fg` exits 16 (its own check), the executed server exits 3', 'cluster')
def _(ctx, c):
    wrong = {'Zato_Config_Server_server__conf_odb_password': 'contract-wrong'}
    if ONE_SERVER:                                 # SQLite knows no passwords: a database that cannot be opened instead
        wrong = {'Zato_Config_Server_server__conf_odb_db_name': os.path.join(ctx.root, 'no-such-directory', 'zato.db')}
    procs = [ctx.start_server(os.path.join(c.dir, 'server3'), free_port(), 'server3', wrapper=w, env=wrong) for w in (True, False)]
    try:
        codes = [proc.wait(90) for proc in procs]
    finally:
        for proc in procs:
            proc.kill()
    same(codes, [16, 3], 'exit codes')


# ---------------------------------------------------------------------------------------- probes

@case('PROBE-01', 'GET /zato/ping without credentials: 200, {"pong":"zato", "zato_env":{"result":"ZATO_OK", ..}}', 'cluster')
def _(ctx, c):
    resp = http(c.port1, 'GET', '/zato/ping')
    same(resp.status, 200, 'status')
    data = json.loads(resp.text)
    same((data['pong'], data['zato_env']['result']), ('zato', 'ZATO_OK'), 'body')


@case('PROBE-02', 'an unknown URL is 404 with text starting URL not found', 'cluster')
def _(ctx, c):
    resp = http(c.port1, 'GET', '/no/such/url')
    same(resp.status, 404, 'status')
    check('URL not found' in resp.text, resp.text[:100])


@case('PROBE-03', 'scheduler: GET of any path, without credentials, is 200 {"status":"ok"}', 'cluster')
def _(ctx, c):
    wait_until(lambda: tcp_open(c.m.sched_port), 60, 'scheduler listening')
    for path in ('/', '/anything'):
        resp = http(c.m.sched_port, 'GET', path)
        same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), path)


@case('PROBE-04', 'dashboard: /accounts/login/ is 200 with a form; / redirects (302) to /zato', 'cluster')
def _(ctx, c):
    wait_until(lambda: tcp_open(c.m.dash_port), 90, 'dashboard listening')
    resp = http(c.m.dash_port, 'GET', '/accounts/login/')
    same(resp.status, 200, 'status')
    check('csrfmiddlewaretoken' in resp.text, 'no login form')
    resp = http(c.m.dash_port, 'GET', '/')
    same(resp.status, 302, 'status of /')
    check('/zato' in resp.headers.get('location', ''), 'location %r' % resp.headers.get('location'))


@case('PROBE-05', 'dashboard: POST of the login form with the password from `update password` is 302 and sets a session cookie', 'cluster')
def _(ctx, c):
    wait_until(lambda: tcp_open(c.m.dash_port), 90, 'dashboard listening')
    resp = http(c.m.dash_port, 'GET', '/accounts/login/')
    token = re.search(r'name=["\']csrfmiddlewaretoken["\'] value=["\']([^"\']+)', resp.text).group(1)
    cookie = resp.headers['set-cookie'].split(';')[0]
    for password, want in (('wrong', False), ('Dash-pw-1', True)):
        body = 'username=admin&password=%s&csrfmiddlewaretoken=%s&next=/zato/' % (password, token)
        resp = http(c.m.dash_port, 'POST', '/accounts/login/', body, headers={
            'Cookie': cookie, 'Content-Type': 'application/x-www-form-urlencoded',
            'Referer': 'http://127.0.0.1:%d/accounts/login/' % c.m.dash_port})
        got = resp.status == 302 and 'sessionid' in resp.headers.get('set-cookie', '')
        same(got, want, 'logged in with %r (status %s)' % (password, resp.status))


@case('PROBE-06', 'load-balancer: /zato-lb-alive is 200 even with no backend, while other paths are 503', 'cluster')
def _(ctx, c):
    if not c.has_haproxy:
        raise Skip('no haproxy on PATH')
    wait_until(lambda: tcp_open(c.m.lb_port), 60, 'load-balancer listening')
    same(http(c.m.lb_port, 'GET', '/zato-lb-alive').status, 200, 'alive')
    same(http(c.m.lb_port, 'GET', '/zato/ping').status, 503, 'ping through a load-balancer with no servers')


# ---------------------------------------------------------------------------------------- invocation

@case('INVOKE-01', 'POST /zato/admin/invoke: 401 without or with a wrong password', 'cluster')
def _(ctx, c):
    same(http(c.port1, 'POST', '/zato/admin/invoke', {'name': 'zato.ping'}).status, 401, 'no credentials')
    same(admin_invoke(c.port1, 'zato.ping', password='wrong')[0].status, 401, 'wrong password')


@case('INVOKE-02', '/zato/admin/invoke answers {"response": base64 JSON, "zato_env": ..}; internal services add a *_response element', 'cluster')
def _(ctx, c):
    resp, data = admin_invoke(c.port1, 'zato.server.get-list', {'cluster_id': 1})
    same(resp.status, 200, 'status')
    same(json.loads(resp.text)['zato_env']['result'], 'ZATO_OK', 'zato_env.result')
    same(list(data), ['zato_server_get_list_response'], 'keys of the payload')


@case('INVOKE-03', 'zato.server.get-list: id, name, bind_host, bind_port, up_status, preferred_address of every row, dead ones too', 'cluster')
def _(ctx, c):
    _, data = admin_invoke(c.port1, 'zato.server.get-list', {'cluster_id': 1})
    rows = {r['name']: r for r in unwrap(data)}
    for name in ('server1', 'server2', 'server3'):
        check(name in rows, 'no row of ' + name)
    for key in ('id', 'bind_host', 'bind_port', 'up_status', 'preferred_address', 'last_join_status'):
        check(key in rows['server1'], 'no key ' + key)
    same(rows['server1']['up_status'], 'running', 'up_status')
    check(rows['server3'].get('up_status') in (None, ''), 'never started, up_status %r' % rows['server3'].get('up_status'))


@case('INVOKE-04', 'zato.service.get-list {"cluster_id":1,"query":""}: list of {id, name, impl_name, is_active, is_internal}', 'cluster')
def _(ctx, c):
    _, data = admin_invoke(c.port1, 'zato.service.get-list', {'cluster_id': 1, 'query': ''})
    rows = unwrap(data)
    check(len(rows) > 10, 'only %d rows' % len(rows))
    by_name = {r['name']: r for r in rows}
    for key in ('id', 'impl_name', 'is_active', 'is_internal'):
        check(key in by_name['demo.my-service'], 'no key ' + key)
    same(by_name['demo.my-service']['is_internal'], False, 'is_internal')


@case('INVOKE-05', '`zato change-password` of pubapi (rc 0) counts at once on every server', 'cluster')
def _(ctx, c):
    same(c.pub.rc, 0, 'rc: ' + tail(c.pub.err))
    for port in (c.port1, c.port2):
        resp = api(port, 'demo.my-service', {'name': 'K'})
        same((resp.status, json.loads(resp.text)), (200, {'salutation': 'Howdy K!'}), 'answer')
    same(api(c.port1, 'demo.my-service', password='wrong').status, 401, 'wrong password')
    same(http(c.port1, 'POST', '/zato/api/invoke/demo.my-service', {}).status, 401, 'no credentials')
    same(api(c.port1, 'demo.my-service', user='admin.invoke', password=ADMIN_PW).status, 401, 'admin.invoke')


@case('INVOKE-06', 'GET with a query string is input as well', 'cluster')
def _(ctx, c):
    resp = api(c.port1, 'demo.my-service?name=Q', method='GET')
    same((resp.status, json.loads(resp.text)), (200, {'salutation': 'Howdy Q!'}), 'answer')


@case('INVOKE-07', 'an unknown service is 400, not 404', 'cluster')
def _(ctx, c):
    same(api(c.port1, 'contract.no-such', {}).status, 400, 'status')


@case('INVOKE-08', 'by default pubapi may call internal services (pubapi is an administrator)', 'cluster', quirk=True)
def _(ctx, c):
    resp = api(c.port1, 'zato.server.get-list', {'cluster_id': 1})
    same(resp.status, 200, 'status')
    check(any(r['name'] == 'server1' for r in json.loads(resp.text)), resp.text[:100])


@case('INVOKE-09', 'pubapi may also call any service through /zato/json/zato.service.invoke', 'cluster', quirk=True)
def _(ctx, c):
    resp = http(c.port1, 'POST', '/zato/json/zato.service.invoke', {
        'name': 'zato.server.get-list', 'payload': base64.b64encode(b'{"cluster_id":1}').decode(), 'data_format': 'json'},
        'pubapi', 'pub-pw-1')
    same(resp.status, 200, 'status')
    check('server1' in base64.b64decode(json.loads(resp.text)['response']).decode(), 'no servers in the answer')


@case('INVOKE-10', 'zato.http-soap.create makes a REST channel that is live on both servers; delete takes it away', 'cluster')
def _(ctx, c):
    req = {'cluster_id': 1, 'name': 'contract.rest', 'is_active': True, 'connection': 'channel', 'transport': 'plain_http',
           'is_internal': False, 'url_path': '/contract/rest', 'service': 'demo.my-service', 'data_format': 'json',
           'security_id': 'ZATO_NONE', 'http_accept': '*/*'}
    resp, data = admin_invoke(c.port1, 'zato.http-soap.create', req)
    same(resp.status, 200, 'status')
    ident = unwrap(data)['id']
    for port in (c.port1, c.port2):
        wait_until(lambda: http(port, 'POST', '/contract/rest', {'name': 'R'}).status == 200, FAST, 'channel live')
    same(json.loads(http(c.port2, 'POST', '/contract/rest', {'name': 'R'}).text), {'salutation': 'Howdy R!'}, 'answer')
    resp, _ = admin_invoke(c.port2, 'zato.http-soap.delete', {'id': ident})
    same(resp.status, 200, 'status of delete')
    for port in (c.port1, c.port2):
        wait_until(lambda: http(port, 'POST', '/contract/rest', {'name': 'R'}).status == 404, FAST, 'channel gone')


@case('INVOKE-12', 'zato.service.get-by-name is 500 on PostgreSQL and answers on SQLite (get-source-info answers on both)', 'cluster', quirk=True)
def _(ctx, c):
    payload = {'cluster_id': 1, 'name': 'demo.my-service'}
    resp, data = admin_invoke(c.port1, 'zato.service.get-by-name', payload)
    if ONE_SERVER:                                 # on SQLite it works
        same(resp.status, 200, 'get-by-name')
        check(unwrap(data)['id'] and unwrap(data)['impl_name'], 'id and impl_name in %r' % data)
    else:
        same(resp.status, 500, 'get-by-name')
    same(admin_invoke(c.port1, 'zato.service.get-source-info', payload)[0].status, 200, 'get-source-info')


@case('INVOKE-11', 'a service that raises: 500 with "Transfer-Encoding: chunked" and a body that never comes (clients see a broken body)', 'cluster', quirk=True)
def _(ctx, c):
    deploy(c.pickup1, 'contract_raise.py', "from zato.server.service import Service\n\nclass Boom(Service):\n"
           "    name = 'contract.raise'\n\n    def handle(self):\n        raise ValueError('contract-boom')\n")
    wait_until(lambda: api(c.port1, 'contract.raise', {}).status == 500, FAST, '500')
    resp = api(c.port1, 'contract.raise', {})
    same((resp.text, resp.whole), ('', False), 'body, and whether it was complete')
    resp2, _ = admin_invoke(c.port1, 'contract.raise', {})
    check(resp2.status >= 400, 'admin path: %s' % resp2.status)
    same(sorted(json.loads(resp2.text)), ['cid', 'details', 'result'], 'keys of the error on the admin path')
    return 'admin path: %d' % resp2.status


# ---------------------------------------------------------------------------------------- rows of dead servers

@case('ROWS-01', 'a row of a server that never started does not block changes: they are done in seconds', 'cluster')
def _(ctx, c):
    start = time.time()
    resp, _ = admin_invoke(c.port1, 'zato.service.slow-response.get-list', {'cluster_id': 1, 'name': 'demo.my-service'})
    req = {'cluster_id': 1, 'name': 'contract.sec', 'is_active': True, 'username': 'contract', 'realm': 'contract'}
    resp, data = admin_invoke(c.port1, 'zato.security.basic-auth.create', req)
    same(resp.status, 200, 'status')
    check(time.time() - start < 15, 'took %.1fs' % (time.time() - start))
    resp, _ = admin_invoke(c.port1, 'zato.security.basic-auth.delete', {'id': unwrap(data)['id']})
    same(resp.status, 200, 'status of delete')
    return '%.1fs' % (time.time() - start)


@case('ROWS-02', 'zato.server.delete removes the row of another server; a server refuses to delete itself', 'cluster')
def _(ctx, c):
    flags = c.db.flags()
    path = os.path.join(c.dir, 'server4')
    same(ctx.run('create', 'server', *flags, *server_flags(c.m, free_port()), path, c.m.cluster, 'server4').rc, 0, 'rc')
    ids = dict((n, int(i)) for n, i in c.db.rows('select name, id from server'))
    resp, _ = admin_invoke(c.port1, 'zato.server.delete', {'id': ids['server4']})
    same(resp.status, 200, 'status')
    same(c.db.rows("select count(*) from server where name='server4'")[0][0], '0', 'rows')
    resp, _ = admin_invoke(c.port1, 'zato.server.delete', {'id': ids['server1']})
    check(resp.status >= 400, 'delete of itself: %s' % resp.status)
    same(c.db.rows("select count(*) from server where name='server1'")[0][0], '1', 'rows of itself')


# ---------------------------------------------------------------------------------------- hot deployment

@case('DEPLOY-01', 'a file dropped into pickup/incoming/services serves on that server and on the other; the file stays', 'cluster')
def _(ctx, c):
    path = deploy(c.pickup1, 'contract_drop.py', service_source('contract.drop', 'one'))
    start = time.time()
    both(c, 'contract.drop', 'one')
    check(os.path.exists(path), 'the file went away')
    check(os.path.exists(os.path.join(c.path2, 'work/hot-deploy/current/contract_drop.py')), 'no copy in work of server2')
    return '%.1fs' % (time.time() - start)


@case('DEPLOY-02', 'a changed file replaces the service on both servers', 'cluster')
def _(ctx, c):
    deploy(c.pickup1, 'contract_change.py', service_source('contract.change', 'one'))
    both(c, 'contract.change', 'one')
    time.sleep(1.1)
    deploy(c.pickup1, 'contract_change.py', service_source('contract.change', 'two'))
    both(c, 'contract.change', 'two')


@case('DEPLOY-03', 'a file with a syntax error: the old version goes on serving, servers stay up, "Could not load source" is logged', 'cluster')
def _(ctx, c):
    deploy(c.pickup1, 'contract_broken.py', service_source('contract.broken', 'good'))
    both(c, 'contract.broken', 'good')
    time.sleep(1.1)
    deploy(c.pickup1, 'contract_broken.py', 'class Svc(:\n')
    wait_until(lambda: 'Could not load source' in c.s1.log(), FAST, 'log line')
    time.sleep(1)
    both(c, 'contract.broken', 'good')
    same(http(c.port1, 'GET', '/zato/ping').status, 200, 'ping')


@case('DEPLOY-04', 'removing the file does not remove the service', 'cluster', quirk=True)
def _(ctx, c):
    path = deploy(c.pickup1, 'contract_gone.py', service_source('contract.gone', 'still'))
    both(c, 'contract.gone', 'still')
    os.remove(path)
    time.sleep(4)
    both(c, 'contract.gone', 'still')


@case('DEPLOY-05', 'ZATO_HOT_DEPLOY_DIR is deployed at start, on that server only', 'cluster')
def _(ctx, c):
    both(c, 'contract.cm', 'v1', [c.port2])
    if ONE_SERVER:                                 # that it is run in place is all that one server can show
        _, data = admin_invoke(c.port1, 'zato.service.get-source-info', {'cluster_id': 1, 'name': 'contract.cm'})
        same(unwrap(data)['source_path'], os.path.join(c.cm, 'contract_cm.py'), 'source_path')
        check(not os.path.exists(os.path.join(c.path1, 'work/hot-deploy/current/contract_cm.py')), 'a copy in work')
        return
    among(api(c.port1, 'contract.cm', {}).status, (400, 404), 'status on server1')


@case('DEPLOY-06', 'a ..data symlink swap in such a directory (ConfigMap update) is noticed, and goes to the other server too', 'cluster')
def _(ctx, c):
    swap(c.cm, 'v2', {'contract_cm.py': service_source('contract.cm', 'v2')})
    start = time.time()
    both(c, 'contract.cm', 'v2')
    return '%.1fs' % (time.time() - start)


@case('DEPLOY-07', 'zato.service.delete removes the ODB row, but running servers go on serving', 'cluster', quirk=True)
def _(ctx, c):
    deploy(c.pickup1, 'contract_del.py', service_source('contract.del', 'here'))
    both(c, 'contract.del', 'here')
    _, data = admin_invoke(c.port1, 'zato.service.get-list', {'cluster_id': 1, 'query': ''})
    ident = [r['id'] for r in unwrap(data) if r['name'] == 'contract.del'][0]
    resp, _ = admin_invoke(c.port1, 'zato.service.delete', {'id': ident})
    same(resp.status, 200, 'status')
    same(c.db.rows("select count(*) from service where name='contract.del'")[0][0], '0', 'rows')
    both(c, 'contract.del', 'here')


# ---------------------------------------------------------------------------------------- /ide-deploy

IDE_PW = 'idepw1'      # what is left of ide-pw-1


def ide(port, body, user='ide_publisher', password=IDE_PW):
    return http(port, 'POST', '/ide-deploy', body, user, password)


def ide_answer(resp):
    same(resp.status, 200, 'status')
    return json.loads(resp.text)['zato_ide_deploy_create_response']


@case('IDE-01', '`set-ide-password PATH --password X` sets X without its -, _ and = characters; the last line of stdout has what was set', 'cluster', quirk=True)
def _(ctx, c):
    same(c.ide.rc, 0, 'rc of set-ide-password: ' + tail(c.ide.err))
    same(c.ide.out.strip().splitlines()[-1], IDE_PW, 'stdout')
    same(ide(c.port1, '', password='ide-pw-1').status, 401, 'the password that was asked for')
    same(ide(c.port1, '').status, 200, 'the password that was set')
    same(http(c.port1, 'POST', '/ide-deploy', '').status, 401, 'no credentials')
    same(ide(c.port1, '', 'pubapi', 'pub-pw-1').status, 401, 'pubapi')


@case('IDE-02', 'an empty body is a ping: {"zato_ide_deploy_create_response":{"success":"True","msg":"Ping succeeded."}} (a string)', 'cluster')
def _(ctx, c):
    same(ide_answer(ide(c.port1, '')), {'success': 'True', 'msg': 'Ping succeeded.'}, 'answer')


@case('IDE-03', 'a missing field is still HTTP 200, with success "False"', 'cluster', quirk=True)
def _(ctx, c):
    same(ide_answer(ide(c.port1, {'payload_name': 'x.py'}))['success'], 'False', 'success')


@case('IDE-04', 'payload_name + payload (base64): success "True", serves on both servers within seconds', 'cluster')
def _(ctx, c):
    source = service_source('contract.ide', 'uploaded')
    start = time.time()
    ans = ide_answer(ide(c.port1, {'payload_name': 'contract_ide.py', 'payload': base64.b64encode(source.encode()).decode()}))
    same(ans['success'], 'True', 'success')
    check('Deployment started' in ans['msg'], ans['msg'])
    both(c, 'contract.ide', 'uploaded')
    return '%.1fs' % (time.time() - start)


@case('IDE-05', 'source that does not compile is success "True" as well: the answer says nothing about the outcome', 'cluster', quirk=True)
def _(ctx, c):
    ans = ide_answer(ide(c.port1, {'payload_name': 'contract_ide_bad.py', 'payload': base64.b64encode(b'def (:').decode()}))
    same(ans['success'], 'True', 'success')
    for path in sorted({c.path1, c.path2}):
        bad = os.path.join(path, 'work/hot-deploy/current/contract_ide_bad.py')
        wait_until(lambda: os.path.exists(bad), FAST, 'broken file is in work/hot-deploy/current')
        os.remove(bad)


@case('IDE-06', 'pubapi can upload code as well, through /zato/json/zato.ide-deploy.create', 'cluster', quirk=True)
def _(ctx, c):
    source = service_source('contract.ide-json', 'through pubapi')
    resp = http(c.port1, 'POST', '/zato/json/zato.ide-deploy.create', {
        'payload_name': 'contract_ide_json.py', 'payload': base64.b64encode(source.encode()).decode()}, 'pubapi', 'pub-pw-1')
    same(resp.status, 200, 'status')
    both(c, 'contract.ide-json', 'through pubapi')


# ---------------------------------------------------------------------------------------- enmasse

ENMASSE = '''security:
  - name: contract.basic
    type: basic_auth
    username: contract-user
    password: contract-pass
    realm: contract
channel_rest:
  - name: /contract/secured
    service: %s
    security: contract.basic
    url_path: /contract/secured
    data_format: json
'''


@fixture
def enmasse(ctx):
    c = ctx.need('cluster')
    e = Bag(c=c)
    good, missing, bad = [os.path.join(ctx.root, n + '.yaml') for n in ('good', 'missing', 'bad')]
    write(good, ENMASSE % 'demo.my-service')
    write(missing, ENMASSE.replace('/contract/secured', '/contract/nowhere') % 'contract.does-not-exist')
    write(bad, 'security: [\n  - : :\n')
    flags = ['--import', '--initial-wait-time', '5', '--missing-wait-time', '3', '--input']
    e.good = ctx.run('enmasse', c.path1, *flags, good)
    e.again = ctx.run('enmasse', c.path1, *flags, good)
    e.missing = ctx.run('enmasse', c.path1, *flags, missing)
    e.bad = ctx.run('enmasse', c.path1, *flags, bad)
    e.no_file = ctx.run('enmasse', c.path1, *flags, os.path.join(ctx.root, 'not-there.yaml'))
    e.no_file_exit = ctx.run('enmasse', c.path1, '--exit-on-missing-file', *flags, os.path.join(ctx.root, 'not-there.yaml'))
    return e


@case('ENMASSE-01', 'import (`security:` on a channel_rest item) rc 0: the channel is live and secured on both servers', 'enmasse')
def _(ctx, e):
    same(e.good.rc, 0, 'rc: ' + tail(e.good.out + e.good.err))
    for port in (e.c.port1, e.c.port2):
        def ok():
            return http(port, 'POST', '/contract/secured', {'name': 'E'}, 'contract-user', 'contract-pass').status == 200
        wait_until(ok, FAST, 'secured channel')
        same(http(port, 'POST', '/contract/secured', {'name': 'E'}).status, 401, 'without credentials')
    return '%.1fs' % e.good.secs


@case('ENMASSE-02', 'the same import again is rc 0', 'enmasse')
def _(ctx, e):
    same(e.again.rc, 0, 'rc')


@case('ENMASSE-03', 'a channel of a service that does not exist: rc 0, and no channel', 'enmasse', quirk=True)
def _(ctx, e):
    same(e.missing.rc, 0, 'rc')
    same(http(e.c.port1, 'POST', '/contract/nowhere', {}).status, 404, 'status')


@case('ENMASSE-04', 'YAML that cannot be read is rc 16', 'enmasse')
def _(ctx, e):
    same(e.bad.rc, 16, 'rc')


@case('ENMASSE-05', 'an input file that is not there is rc 0', 'enmasse', quirk=True)
def _(ctx, e):
    same(e.no_file.rc, 0, 'rc')


@case('ENMASSE-06', 'with --exit-on-missing-file it is still rc 0', 'enmasse', quirk=True)
def _(ctx, e):
    same(e.no_file_exit.rc, 0, 'rc')


@case('ENMASSE-07', 'zato.pickup.update-enmasse {"full_path"} through admin.invoke: 200 at once, imported in the background by that server; an item renamed in the file stays', 'cluster', quirk=True)
def _(ctx, c):
    path = os.path.join(ctx.root, 'picked.yaml')
    text = (ENMASSE % 'demo.my-service').replace('contract.basic', 'contract.picked').replace('contract-user', 'picked-user')
    write(path, text.replace('/contract/secured', '/contract/picked'))
    start = time.time()
    resp, _data = admin_invoke(c.port1, 'zato.pickup.update-enmasse', {'full_path': path})
    same(resp.status, 200, 'status')
    check(time.time() - start < 3, 'not at once')
    call = lambda url: http(c.port2, 'POST', url, {'name': 'E'}, 'picked-user', 'contract-pass').status
    secs = wait_until(lambda: call('/contract/picked') == 200, 90, 'the channel on the other server')[1]
    write(path, text.replace('/contract/secured', '/contract/renamed'))
    admin_invoke(c.port1, 'zato.pickup.update-enmasse', {'full_path': path})
    wait_until(lambda: call('/contract/renamed') == 200, 90, 'the renamed channel')
    same(call('/contract/picked'), 200, 'the item that is no longer in the file')
    return '%.1fs' % secs


@case('CLI-01', '`service invoke` prints the answer, rc 0; of a service that does not exist it is rc 0 too', 'cluster', quirk=True)
def _(ctx, c):
    res = ctx.run('service', 'invoke', c.path1, 'demo.my-service', '--payload', '{"name":"C"}')
    same(res.rc, 0, 'rc')
    check('Howdy C!' in res.out + res.err, 'answer: ' + tail(res.out + res.err))
    res = ctx.run('service', 'invoke', c.path1, 'contract.no-such')
    same(res.rc, 0, 'rc of a missing service')


@case('CLI-02', '`wait --address` rc 0 when the server answers, 28 when it does not in time', 'cluster')
def _(ctx, c):
    same(ctx.run('wait', '--address', 'http://127.0.0.1:%d' % c.port1, '--timeout', '10').rc, 0, 'rc')
    same(ctx.run('wait', '--address', 'http://127.0.0.1:%d' % free_port(), '--timeout', '2').rc, 28, 'rc of a timeout')


# ---------------------------------------------------------------------------------------- API specifications

SPEC = '''from dataclasses import dataclass
from zato.server.service import Model, Service

@dataclass(init=False)
class ContractReq(Model):
    user_id: int
    note: str = ''

@dataclass(init=False)
class ContractResp(Model):
    user_name: str
    balance: float

class WithModel(Service):
    """ Finds an account. """
    name = 'contract.spec.model'

    class SimpleIO:
        input = ContractReq
        output = ContractResp

    def handle(self):
        self.response.payload = {'user_name': 'a', 'balance': 1.5}

class WithSIO(Service):
    """ Old style. """
    name = 'contract.spec.sio'

    class SimpleIO:
        input_required = 'user_id',
        output_required = 'user_name',

    def handle(self):
        self.response.payload.user_name = 'a'
'''


@fixture
def specs(ctx):
    c = ctx.need('cluster')
    deploy(c.pickup1, 'contract_spec.py', SPEC)
    wait_until(lambda: api(c.port1, 'contract.spec.model', {'user_id': 1}).status == 200, FAST, 'spec services')
    s = Bag(c=c)
    s.resp, s.data = admin_invoke(c.port1, 'zato.apispec.get-api-spec', {
        'cluster_id': 1, 'include': 'contract.spec.*', 'needs_api_invoke': True, 'needs_rest_channels': True,
        'needs_sphinx': True, 'api_invoke_path': '/zato/api/invoke/{service_name}', 'tags': ['public']})
    s.yaml_path = os.path.join(ctx.root, 'spec.yaml')
    s.cli = ctx.run('openapi', c.path1, '--file', s.yaml_path, '--include', 'contract.spec.*')
    return s


@case('SPEC-01', 'zato.apispec.get-api-spec through /zato/admin/invoke: {"response":{"data":{file name: text, ..}}}', 'specs')
def _(ctx, s):
    same(s.resp.status, 200, 'status')
    files = s.data['response']['data']
    for name in ('download/openapi.yaml', 'services.rst', './index.rst', './conf.py', 'service_contract_spec_model.rst'):
        check(name in files, 'no %s in %s' % (name, sorted(files)))
    return ', '.join(sorted(files))


@case('SPEC-02', 'that YAML: openapi 3.0.3, server http://127.0.0.1:17010, BasicAuth, a POST path per service', 'specs')
def _(ctx, s):
    text = s.data['response']['data']['download/openapi.yaml']
    for part in ('openapi: 3.0.3', 'http://127.0.0.1:17010', 'BasicAuth', '/zato/api/invoke/contract.spec.model:', 'post:',
                 'post__zato_api_invoke_contract_spec_model'):
        check(part in text, 'no %r' % part)


@case('SPEC-03', 'dataclass I/O has schemas; SimpleIO strings have a $ref to a schema that is not there', 'specs', quirk=True)
def _(ctx, s):
    text = s.data['response']['data']['download/openapi.yaml']
    check(re.search(r'(?m)^\s+request_contract_spec_model:', text), 'no schema of the dataclass')
    check('#/components/schemas/request_contract_spec_sio' in text, 'no $ref of SimpleIO')
    check(not re.search(r'(?m)^\s+request_contract_spec_sio:', text), 'there IS a schema of SimpleIO')
    check('type: float' in text, 'no illegal type float any more')


@case('SPEC-04', 'the same service through /zato/api/invoke is 500', 'specs', quirk=True)
def _(ctx, s):
    same(api(s.c.port1, 'zato.apispec.get-api-spec', {'cluster_id': 1}).status, 500, 'status')


@case('SPEC-05', '`zato openapi --file F --include ..` rc 0 writes that YAML', 'specs')
def _(ctx, s):
    same(s.cli.rc, 0, 'rc: ' + tail(s.cli.err))
    check('openapi: 3.0.3' in read(s.yaml_path), 'file')


@case('SPEC-06', '`zato apispec --dir D` on a directory that exists: rc 0 and nothing is written', 'specs', quirk=True)
def _(ctx, s):
    path = os.path.join(ctx.root, 'spec-dir')
    os.makedirs(path)
    same(ctx.run('apispec', s.c.path1, '--dir', path, '--include', 'contract.spec.*').rc, 0, 'rc')
    same(os.listdir(path), [], 'files')


# ---------------------------------------------------------------------------------------- SSO on PostgreSQL

@fixture
def pgsso(ctx):
    """First without, then with bytea_output='escape'."""
    if ONE_SERVER:
        raise Skip('no PostgreSQL given (PG_HOST)')
    c = ctx.need('cluster')
    s = Bag(c=c)
    s.created = ctx.run('sso', 'create-user', c.path1, 'hexuser', '--email', 'hex@example.com', '--password', 'Hex-passw0rd')
    s.stored = c.db.rows("select password, email from zato_sso_user where username='hexuser'")
    s.login = sso_login(c.port1, 'hexuser', 'Hex-passw0rd')
    c.db.admin.raw("alter database %s set bytea_output='escape'" % c.db.db)
    sets = ', '.join("%s = case when %s like '\\x%%' then convert_from(decode(substr(%s, 3), 'hex'), 'utf8') else %s end" % (
        (x,) * 4) for x in ('password', 'email', 'totp_key', 'totp_label'))
    sets = sets.replace("like '\\x%", "like '\\\\x%")
    c.db.rows('update zato_sso_user set ' + sets)
    s.repaired = c.db.rows("select password, email from zato_sso_user where username='hexuser'")
    s.created2 = ctx.run('sso', 'create-user', c.path1, 'escuser', '--email', 'esc@example.com', '--password', 'Esc-passw0rd')
    s.stored2 = c.db.rows("select password from zato_sso_user where username='escuser'")
    s.chief = ctx.run('sso', 'create-super-user', c.path1, 'chief', '--email', 'chief@example.com', '--password', 'Chief-passw0rd')
    s.before_restart = [sso_login(c.port1, *x) for x in (('hexuser', 'Hex-passw0rd'), ('escuser', 'Esc-passw0rd'))]
    s.rest1 = pg_rest_user(c, c.port1, 'restone')
    return s


def pg_rest_user(c, port, username):
    """A user made over REST; what is in its password column."""
    ust = json.loads(sso_login(port, 'chief', 'Chief-passw0rd').text)['ust']
    resp = http(port, 'POST', '/zato/sso/user', {'ust': ust, 'current_app': 'CRM', 'username': username,
                                                 'password': 'Rest-passw0rd', 'auto_approve': True})
    same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), resp.text[:200])
    return c.db.rows("select password from zato_sso_user where username='%s'" % username)[0][0]


def sso_login(port, username, password, **extra):
    body = dict({'username': username, 'password': password, 'current_app': 'CRM'}, **extra)
    return http(port, 'POST', '/zato/sso/user/login', body)


@case('SSOPG-01', 'with the default bytea_output the CLI stores hex (\\x..) in the text columns, and REST login fails', 'pgsso', quirk=True)
def _(ctx, s):
    same(s.created.rc, 0, 'rc')
    check(s.stored[0][0].startswith('\\x') and s.stored[0][1].startswith('\\x'), 'stored %r' % (s.stored[0][0][:12],))
    check(s.login.status != 200 or json.loads(s.login.text).get('status') != 'ok', 'login worked')
    return 'HTTP %d %s' % (s.login.status, json.loads(s.login.text).get('details'))


@case('SSOPG-02', "ALTER DATABASE .. SET bytea_output='escape': the CLI now stores Fernet tokens", 'pgsso')
def _(ctx, s):
    check(s.stored2[0][0].startswith('gAAAA'), 'stored %r' % s.stored2[0][0][:12])
    fernet.decrypt(s.c.m.key, s.stored2[0][0])


@case('SSOPG-03', 'users of text rows log in at once, also old ones whose hex columns an UPDATE turned back to text', 'pgsso')
def _(ctx, s):
    check(s.repaired[0][0].startswith('gAAAA'), 'repaired %r' % s.repaired[0][0][:12])
    for resp in s.before_restart:
        same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), 'login')


@case('SSOPG-06', 'a server that runs on from before still writes hex for users made over REST; after a restart it writes text', ('pgsso', 'second'), quirk=True)
def _(ctx, s, second):
    check(s.rest1.startswith('\\x'), 'before: %r' % s.rest1[:12])
    stored = pg_rest_user(s.c, s.c.port2, 'resttwo')
    check(stored.startswith('gAAAA'), 'after: %r' % stored[:12])
    resp = sso_login(s.c.port2, 'resttwo', 'Rest-passw0rd')
    same((resp.status, json.loads(resp.text).get('status')), (200, 'ok'), 'login')


@case('SSOPG-04', 'zato_sso_linked_auth.auth_id -> sec_base(id): the foreign key exists only if alembic was there at `create odb`', 'made')
def _(ctx, m):
    if ONE_SERVER:
        raise Skip('no PostgreSQL given (PG_HOST)')
    rows = m.db.rows("select count(*) from pg_constraint where conname='fk_sso_linked_base_id'")
    has_fk = rows[0][0] == '1'
    state = m.db.rows('select count(*) from install_state')[0][0] != '0'
    same(has_fk, state, 'foreign key (the install_state row is written on the same condition)')
    same(m.odb_again.rc, 1 if has_fk else 16, 'rc of a repeated create odb')
    return 'foreign key %s' % ('exists' if has_fk else 'is absent')


@case('SSOPG-05', 'the SSO sequences are free-standing (no DEFAULT, not owned by the columns): a restore has to set them', 'made')
def _(ctx, m):
    if ONE_SERVER:
        raise Skip('no PostgreSQL given (PG_HOST)')
    rows = m.db.rows("select c.relname from pg_class c where c.relkind='S' and c.relname like 'zato_sso%' order by 1")
    same([r[0] for r in rows], ['zato_sso_attr_seq', 'zato_sso_flow_prt_seq', 'zato_sso_group_id_seq', 'zato_sso_linked_auth_seq',
                                'zato_sso_sid_seq', 'zato_sso_ug_seq', 'zato_sso_user_id_seq'], 'sequences')
    rows = m.db.rows("select count(*) from information_schema.columns where table_name like 'zato_sso%' and column_name='id' "
                     "and column_default is not null")
    same(rows[0][0], '0', 'columns with a default')


# ---------------------------------------------------------------------------------------- second life of server2 (or server1)

def in_flight(s, port, seconds):
    try:
        resp = api(port, 'contract.sleep', {'seconds': seconds}, timeout=20)
        s.in_flight[seconds] = 'HTTP %d%s' % (resp.status, '' if resp.whole else ', no body')
    except OSError as exc:
        s.in_flight[seconds] = 'connection broken (%s)' % type(exc).__name__


@fixture
def second(ctx):
    """server2 stopped with SIGTERM, then started through `zato start --fg`, closed down for pubapi."""
    c = ctx.need('cluster')
    if not ONE_SERVER:
        ctx.need('pgsso')
    s = Bag(c=c)
    deploy(c.pickup1, 'contract_life.py', service_source('contract.life', 'kept'))
    source = service_source('contract.ide-life', 'kept')
    ide(c.port1, {'payload_name': 'contract_ide_life.py', 'payload': base64.b64encode(source.encode()).decode()})
    both(c, 'contract.life', 'kept')
    both(c, 'contract.ide-life', 'kept')
    deploy(c.pickup1, 'contract_sleep.py', "import time\nfrom zato.server.service import Service\n\nclass Sleep(Service):\n"
           "    name = 'contract.sleep'\n\n    def handle(self):\n        time.sleep(float(self.request.payload['seconds']))\n"
           "        self.response.payload = {'answer': 'slept'}\n")
    wait_until(lambda: api(c.port2, 'contract.sleep', {'seconds': 0}).status == 200, FAST, 'contract.sleep')
    s.in_flight = {}
    threads = [threading.Thread(target=in_flight, args=(s, c.port2, x), daemon=True) for x in (0.9, 4)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    start = time.time()
    c.s2.term()
    s.rc = c.s2.wait(60)
    s.secs = time.time() - start
    for thread in threads:
        thread.join(20)
    s.pidfile = os.path.exists(os.path.join(c.path2, 'pidfile'))
    s.closed = not tcp_open(c.port2)
    s.row = c.db.rows("select up_status from server where name='%s'" % os.path.basename(c.path2))
    if not ONE_SERVER:
        change(s)
    deploy(c.pickup2, 'contract_down.py', service_source('contract.down', 'x'))
    c.db.rows("update http_soap set is_active = false where url_path like '/zato/json/%'")
    conf = os.path.join(c.path2, 'config/repo/server.conf')
    write(conf, read(conf).replace('http_server_header=Apache', 'http_server_header=$Contract_Not_There'))
    s.proc = ctx.start_server(c.path2, c.port2, 'server2-again', wrapper=True, env={
        'Zato_Config_Server_server__conf_preferred_address_address': 'localhost',
        'Zato_Config_Server_server__conf_main_gunicorn_graceful_timeout': '20',
        'Zato_Config_Server_server__conf_misc_service_invoker_allow_internal': 'none'})
    s.ready = ctx.ready(s.proc, c.port2)
    if ONE_SERVER:                                 # the row of server2 becomes that of a server which ran and was stopped
        c.db.rows("update server set up_status='running', bind_host='127.0.0.1', bind_port=%d, preferred_address='127.0.0.1' "
                  "where name='server2'" % free_port())
        change(s)
    return s


def change(s):
    """A change while table server has the row of a stopped server."""
    start = time.time()
    s.change = admin_invoke(s.c.port1, 'zato.security.basic-auth.create', {
        'cluster_id': 1, 'name': 'contract.sec2', 'is_active': True, 'username': 'contract2', 'realm': 'contract'})[0]
    s.change_secs = time.time() - start


@case('STOP-01', 'SIGTERM to the executed server: exit 0 within 30s, the port is closed', 'second')
def _(ctx, s):
    same(s.rc, 0, 'exit code')
    check(s.secs < 30, 'took %.1fs' % s.secs)
    check(s.closed, 'port still open')
    return '%.1fs' % s.secs


@case('STOP-02', 'after that the pidfile is still there and does not keep the server from starting again', 'second')
def _(ctx, s):
    same(s.pidfile, True, 'pidfile')
    check(s.ready > 0, 'not ready')
    return 'ready again after %.1fs' % s.ready


@case('STOP-03', 'a clean stop leaves the row, and its up_status stays "running"', 'second', quirk=True)
def _(ctx, s):
    same(s.row, [('running',)], 'up_status')


@case('STOP-04', 'with the row of a stopped server (connection refused) changes still work, in seconds', 'second')
def _(ctx, s):
    same(s.change.status, 200, 'status')
    check(s.change_secs < 15, 'took %.1fs' % s.change_secs)
    return '%.1fs' % s.change_secs


@case('STOP-07', 'a request in flight at SIGTERM is finished if it ends within gunicorn_graceful_timeout (1s), else it is cut off', 'second')
def _(ctx, s):
    same(s.in_flight[0.9], 'HTTP 200', 'the short one')
    check(s.in_flight[4].startswith('connection broken'), 'the long one: ' + s.in_flight[4])


@case('ROWS-03', '[preferred_address] address= is written to the row at start, and the other servers call that name', 'second')
def _(ctx, s):
    same(s.c.db.rows("select preferred_address, bind_host from server where name='%s'" % os.path.basename(s.c.path2)),
         [('localhost', '127.0.0.1')], 'row')
    deploy(s.c.pickup1, 'contract_named.py', service_source('contract.named', 'by name'))
    both(s.c, 'contract.named', 'by name')


@case('DEPLOY-08', 'what was hot-deployed or uploaded on one server is still served by the other after a restart', 'second')
def _(ctx, s):
    both(s.c, 'contract.life', 'kept', [s.c.port2])


@case('IDE-07', 'a service uploaded through /ide-deploy survives a restart of the server', 'second')
def _(ctx, s):
    both(s.c, 'contract.ide-life', 'kept', [s.c.port2])


@case('DEPLOY-09', 'a file dropped into the pickup directory while the server was down is NOT deployed at start', 'second', quirk=True)
def _(ctx, s):
    time.sleep(2)
    same(api(s.c.port2, 'contract.down', {}).status, 400, 'status')


@case('LOCK-01', 'Zato_Config_Server_server__conf_misc_service_invoker_allow_internal=none: pubapi gets 400 on zato.* and pub.zato.*', 'second')
def _(ctx, s):
    for name in ('zato.server.get-list', 'zato.service.delete', 'pub.zato.ping'):
        same(api(s.c.port2, name, {'cluster_id': 1}).status, 400, name)
    same(api(s.c.port2, 'demo.my-service', {'name': 'L'}).status, 200, 'a service of the user')


@case('LOCK-02', 'that alone is not enough: UPDATE http_soap SET is_active=false for /zato/json/% before start closes the other way in', 'second')
def _(ctx, s):
    body = {'name': 'zato.server.get-list', 'payload': base64.b64encode(b'{"cluster_id":1}').decode(), 'data_format': 'json'}
    for name in ('zato.service.invoke', 'zato.ide-deploy.create', 'zato.hot-deploy.create'):
        resp = http(s.c.port2, 'POST', '/zato/json/' + name, body, 'pubapi', 'pub-pw-1')
        check(resp.status in (403, 404), '%s: %d' % (name, resp.status))
    return 'now HTTP %d' % resp.status


@case('LOCK-03', 'with both, /zato/admin/invoke and /ide-deploy of their own users still work', 'second')
def _(ctx, s):
    same(admin_invoke(s.c.port2, 'zato.server.get-list', {'cluster_id': 1})[0].status, 200, 'admin.invoke')
    same(ide_answer(ide(s.c.port2, ''))['success'], 'True', 'ide_publisher')


@case('CONF-04', 'a $NAME which the environment lacks is only a WARNING in the log; the value stays the text $NAME', 'second', quirk=True)
def _(ctx, s):
    same(http(s.c.port2, 'GET', '/zato/ping').headers.get('server'), '$Contract_Not_There', 'Server header')
    check('Environment variable `Contract_Not_There` not found' in s.proc.log(), 'no warning')


@case('STOP-05', '`zato start --fg`: SIGTERM to the wrapper ends the wrapper only, the server goes on; `zato stop` (rc 0) ends it', 'second', quirk=True)
def _(ctx, s):
    s.proc.term()
    s.proc.wait(30)
    time.sleep(3)
    same(http(s.c.port2, 'GET', '/zato/ping').status, 200, 'ping after the wrapper died')
    thread = threading.Thread(target=in_flight, args=(s, s.c.port2, 8), daemon=True)
    thread.start()
    time.sleep(0.4)
    same(ctx.run('stop', s.c.path2).rc, 0, 'rc of stop')
    thread.join(30)
    wait_until(lambda: not tcp_open(s.c.port2), 30, 'port closed')
    same(os.path.exists(os.path.join(s.c.path2, 'pidfile')), False, 'pidfile after zato stop')


@case('STOP-08', 'gunicorn_graceful_timeout=20 (override): a request of 8s that was in flight at SIGTERM is finished', 'second')
def _(ctx, s):
    if 8 not in s.in_flight:
        raise Skip('needs STOP-05')
    same(s.in_flight[8], 'HTTP 200', 'the request')


@case('STOP-06', '`zato stop` of a scheduler: rc 0, and its `zato start --fg` then exits 0', 'cluster')
def _(ctx, c):
    same(ctx.run('stop', os.path.join(c.dir, 'scheduler')).rc, 0, 'rc of stop')
    same(c.sched.wait(30), 0, 'exit code of the wrapper')


# ---------------------------------------------------------------------------------------- slow

@case('RACE-01', 'two servers started at once on a fresh ODB: at least one serves; the other may exit 3 and starts fine after that',
      slow=True, quirk=True)
def _(ctx):
    db = new_pg(ctx, 'race')
    m = Bag(key=new_key(ctx), sched_port=free_port(), port1=free_port())
    same(ctx.run('create', 'odb', *db.flags()).rc, 0, 'odb')
    same(ctx.run('create', 'cluster', *db.flags(), '--secret-key=' + m.key, '--admin-invoke-password', ADMIN_PW, 'c1').rc, 0, 'cluster')
    procs = []
    for name in ('server1', 'server2'):
        path, port = os.path.join(ctx.root, 'race', name), free_port()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        same(ctx.run('create', 'server', *db.flags(), *server_flags(m, port), path, 'c1', name).rc, 0, name)
        ctx.quiet(path)
        procs.append([path, port, None])
    for item in procs:
        item[2] = ctx.start_server(item[0], item[1], 'race-' + os.path.basename(item[0]))
    def settled():
        return all(not p.alive() or (tcp_open(port) and http(port, 'GET', '/zato/ping', timeout=3).status == 200)
                   for _, port, p in procs)
    wait_until(settled, 240, 'both serve or ended', 0.5)
    dead = [item for item in procs if not item[2].alive()]
    check(len(dead) < 2, 'both died')
    for path, port, proc in dead:
        same(proc.wait(1), 3, 'exit code')
        again = ctx.start_server(path, port, 'race-again')
        ctx.ready(again, port)
        again.term()
    for item in procs:
        item[2].term()
    return '%d of 2 died' % len(dead)
