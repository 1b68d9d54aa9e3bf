"""Commands that create things. All of them run once, in the fixture `made`; the cases look at what they left."""

import json
import os

from . import fernet
from .lib import (ONE_SERVER, Bag, Postgres, Skip, SqliteOdb, among, case, check, fixture, free_port, ini, read, same, tail, write)

SSO_TABLES = {'zato_sso_attr', 'zato_sso_group', 'zato_sso_linked_auth', 'zato_sso_password_reset', 'zato_sso_session',
              'zato_sso_user', 'zato_sso_user_group'}

ADMIN_PW = 'adm-pw-1'


def pg_admin():
    host = os.environ.get('PG_HOST')
    if not host:
        raise Skip('no PostgreSQL given (PG_HOST)')
    return Postgres(host, os.environ.get('PG_PORT', '5432'), os.environ.get('PG_USER', 'postgres'),
                    os.environ.get('PG_PASSWORD', ''), os.environ.get('PG_ADMIN_DB', 'postgres'))


def new_pg(ctx, suffix, bytea=None):
    """A fresh role and database for one environment; both are dropped at the end."""
    admin = pg_admin()
    name = 'zc_%s_%s' % (ctx.tag, suffix)
    admin.raw("create role %s login password 'pw_%s'" % (name, name))
    admin.raw('create database %s owner %s' % (name, name))
    if bytea:
        admin.raw("alter database %s set bytea_output='%s'" % (name, bytea))

    def drop():
        admin.raw('drop database if exists %s with (force)' % name)
        admin.raw('drop role if exists %s' % name)
    if not os.environ.get('CONTRACT_KEEP'):
        ctx.drop.append(drop)
    db = Postgres(admin.host, admin.port, name, 'pw_' + name, name)
    db.admin = admin
    return db


def new_odb(ctx, suffix):
    if ONE_SERVER:
        return SqliteOdb(os.path.join(ctx.root, 'odb-%s.db' % suffix))
    return new_pg(ctx, suffix)


def new_key(ctx):
    """It may begin with `-`: argparse takes it only as --secret-key=KEY."""
    return ctx.run('create', 'secret-key').out.strip().splitlines()[-1].strip()


def server_flags(m, port, with_type=True):
    return [
        '--secret-key=' + m.key, '--jwt-secret', 'jwt-secret-1', '--http-port', port, '--threads', '1',
        '--scheduler-address-for-server', 'http://127.0.0.1:%d' % m.sched_port,
        '--server-address-for-scheduler', 'http://127.0.0.1:%d' % m.port1,
        '--scheduler-api-client-for-server-username', 'sched_client',
        '--scheduler-api-client-for-server-password', 'sched-pw-1',
        '--server-api-client-for-scheduler-username', 'admin.invoke',
        '--server-api-client-for-scheduler-password', ADMIN_PW]


@fixture
def made(ctx):
    """ODB (PostgreSQL, or SQLite without one), cluster and one of every component, created with the CLI, nothing started yet."""
    m = Bag(db=new_odb(ctx, 'a'), dir=os.path.join(ctx.root, 'env'), cluster='c1')
    os.makedirs(m.dir)
    p = lambda name: os.path.join(m.dir, name)
    m.port1, m.port2, m.sched_port, m.dash_port, m.lb_port, m.agent_port = [free_port() for _ in range(6)]
    flags = m.db.flags()
    no_pw = flags[:-2]      # the password is the last flag

    m.secret = ctx.run('create', 'secret-key')
    m.key = m.secret.out.strip().splitlines()[-1].strip() if m.secret.out.strip() else ''
    m.odb_no_pw = ctx.run('create', 'odb', *no_pw)
    m.underscores = ctx.run('create', 'odb', '--odb_type', m.db.kind)
    m.odb = ctx.run('create', 'odb', *flags)
    m.tables = m.db.tables()
    m.odb_again = ctx.run('create', 'odb', *flags, '--skip-if-exists')
    cluster = ['create', 'cluster', *flags, '--lb-host', '127.0.0.1', '--lb-port', m.lb_port, '--lb-agent_port', m.agent_port,
               '--secret-key=' + m.key, '--admin-invoke-password', ADMIN_PW, m.cluster]
    m.cluster_skip_fresh = ctx.run(*cluster, '--skip-if-exists')
    m.cluster_rows_after_skip = m.db.rows('select id, name from cluster')
    m.server_no_cluster = ctx.run('create', 'server', *flags, *server_flags(m, m.port1), p('server1'), m.cluster, 'server1')
    m.files_after_8 = os.listdir(p('server1')) if os.path.isdir(p('server1')) else None
    m.cluster_made = ctx.run(*cluster)
    m.cluster_rows = m.db.rows('select id, name, lb_host, lb_port from cluster')
    m.cluster_again = ctx.run(*cluster)
    m.cluster_again_skip = ctx.run(*cluster, '--skip-if-exists')
    m.cluster_rows_end = m.db.rows('select id, name from cluster')
    m.admin_row = m.db.rows("select name, password from sec_base where name in ('admin.invoke','pubapi','ide_publisher') order by 1")
    m.server1 = ctx.run('create', 'server', *flags, *server_flags(m, m.port1), p('server1'), m.cluster, 'server1')
    m.server1_conf = ini(p('server1/config/repo/server.conf'))
    m.server1_secrets = ini(p('server1/config/repo/secrets.conf'))
    m.not_empty = ctx.run('create', 'server', *flags, *server_flags(m, m.port1), p('server1'), m.cluster, 'serverX')
    m.same_name = ctx.run('create', 'server', *flags, *server_flags(m, m.port2), p('server1-again'), m.cluster, 'server1')

    # server2 through a config file
    keys = dict(command='create_server', path=p('server2'), cluster_name=m.cluster, server_name='server2', secret_key=m.key,
                jwt_secret='jwt-secret-1', http_port=m.port2, threads=1,
                scheduler_address_for_server='http://127.0.0.1:%d' % m.sched_port,
                scheduler_api_client_for_server_username='sched_client',
                scheduler_api_client_for_server_password='sched-pw-1', **m.db.keys())
    m.server2 = ctx.from_config('server2', keys)
    write(os.path.join(ctx.root, 'blank.cfg'), 'command=create_server\n\npath=%s\n' % p('server-blank'))
    m.blank = ctx.run('from-config', os.path.join(ctx.root, 'blank.cfg'))
    write(os.path.join(ctx.root, 'name.cfg'), 'command=create_load_balancer\npath=%s\n' % p('lb-wrong'))
    m.wrong_command = ctx.run('from-config', os.path.join(ctx.root, 'name.cfg'))

    # server3: its row is taken away and it is created anew, somewhere else
    m.server3_first = ctx.run('create', 'server', *flags, *server_flags(m, m.port2), p('server3-lost'), m.cluster, 'server3')
    m.server3_id = m.db.rows("select id from server where name='server3'")
    m.db.rows("delete from server where name='server3'")
    m.server3_second = ctx.run('create', 'server', *flags, *server_flags(m, m.port2), p('server3'), m.cluster, 'server3')

    m.scheduler = ctx.run(
        'create', 'scheduler', *flags, '--cluster-name', m.cluster, '--secret-key=' + m.key, '--bind-host', '127.0.0.1',
        '--bind-port', m.sched_port, '--server-address-for-scheduler', 'http://127.0.0.1:%d' % m.port1,
        '--scheduler-address-for-server', 'http://127.0.0.1:%d' % m.sched_port,
        '--server-api-client-for-scheduler-username', 'admin.invoke', '--server-api-client-for-scheduler-password', ADMIN_PW,
        '--scheduler-api-client-for-server-username', 'sched_client',
        '--scheduler-api-client-for-server-password', 'sched-pw-1', p('scheduler'))
    m.dashboard = ctx.run('create', 'web-admin', *flags, '--admin-invoke-password', ADMIN_PW, p('web-admin'))
    m.dash_password = ctx.run('update', 'password', p('web-admin'), 'admin', '--password', 'Dash-pw-1')
    m.dash_relative = ctx.run('update', 'password', 'web-admin', 'admin', '--password', 'Dash-pw-1', cwd=m.dir)
    m.lb = ctx.run('create', 'load-balancer', p('lb'))
    return m


@case('CREATE-01', '`create secret-key` prints one Fernet key as the last line of stdout', 'made')
def _(ctx, m):
    same(m.secret.rc, 0, 'rc')
    check(fernet.is_key(m.key), 'not a 32-byte urlsafe base64 key: %r' % m.key)


@case('CREATE-02', 'a password flag that is left out prompts; without a terminal that is rc 16', 'made')
def _(ctx, m):
    same(m.odb_no_pw.rc, 16, 'rc')


@case('CREATE-03', 'flags with underscores are refused by argparse with rc 2', 'made')
def _(ctx, m):
    same(m.underscores.rc, 2, 'rc')


@case('CREATE-04', '`create odb` rc 0 makes cluster, server, sec_base, http_soap and the seven SSO tables', 'made')
def _(ctx, m):
    same(m.odb.rc, 0, 'rc')
    missing = (SSO_TABLES | {'cluster', 'server', 'sec_base', 'http_soap', 'install_state'}) - m.tables
    check(not missing, 'missing tables: %s' % sorted(missing))
    same({t for t in m.tables if t.startswith('zato_sso')}, SSO_TABLES, 'SSO tables')


@case('CREATE-05', '`create odb --skip-if-exists` on an existing ODB still fails: rc 1 (alembic installed) or 16', 'made', quirk=True)
def _(ctx, m):
    among(m.odb_again.rc, (1, 16), 'rc')
    return 'rc %d' % m.odb_again.rc


@case('CREATE-06', '`create cluster --skip-if-exists` on an ODB without that cluster is rc 0 and creates NOTHING', 'made', quirk=True)
def _(ctx, m):
    same(m.cluster_skip_fresh.rc, 0, 'rc')
    same(m.cluster_rows_after_skip, [], 'rows in cluster')


@case('CREATE-07', '`create server` before the cluster exists is rc 8 and leaves an empty directory, which can be used again', 'made')
def _(ctx, m):
    same(m.server_no_cluster.rc, 8, 'rc')
    same(m.files_after_8, [], 'files left behind')
    same(m.server1.rc, 0, 'rc of the next try in the same directory')


@case('CREATE-08', '`create cluster` rc 0 writes one row with lb_host and lb_port', 'made')
def _(ctx, m):
    same(m.cluster_made.rc, 0, 'rc')
    same([r[1:] for r in m.cluster_rows], [('c1', '127.0.0.1', str(m.lb_port))], 'cluster rows')


@case('CREATE-09', '`create cluster` again is rc 16, with --skip-if-exists rc 0; still one row', 'made')
def _(ctx, m):
    same((m.cluster_again.rc, m.cluster_again_skip.rc), (16, 0), 'rcs')
    same(len(m.cluster_rows_end), 1, 'rows')


@case('CREATE-10', 'admin.invoke password is stored in clear text; pubapi and ide_publisher as zato.secf.<Fernet token>', 'made', quirk=True)
def _(ctx, m):
    rows = dict(m.admin_row)
    same(rows['admin.invoke'], ADMIN_PW, 'admin.invoke')
    for name in ('pubapi', 'ide_publisher'):
        check(rows[name].startswith('zato.secf.'), '%s: %r' % (name, rows[name][:12]))
        fernet.decrypt(m.key, rows[name][len('zato.secf.'):])


@case('CREATE-11', '`create server` rc 0 writes the repo files and a pickup directory with demo.py (service demo.my-service)', 'made')
def _(ctx, m):
    same(m.server1.rc, 0, 'rc')
    for name in ('config/repo/server.conf', 'config/repo/secrets.conf', 'config/repo/sso.conf', 'config/repo/pickup.conf',
                 'config/repo/simple-io.conf', 'config/repo/logging.conf', 'config/repo/service-sources.txt',
                 'pickup/incoming/services', 'logs', 'work', '.zato-info'):
        check(os.path.exists(os.path.join(m.dir, 'server1', name)), 'no ' + name)
    same(os.listdir(os.path.join(m.dir, 'server1/pickup/incoming/services')), ['demo.py'], 'pickup dir')


@case('CREATE-12', 'server.conf: bind 0.0.0.0:<http-port>, secrets by zato+secret:// reference, pg8000 (or sqlite) engine, no startup callable', 'made')
def _(ctx, m):
    conf = m.server1_conf
    same(conf['main']['gunicorn_bind'], '0.0.0.0:%d' % m.port1, 'gunicorn_bind')
    same(conf['main']['token'], 'zato+secret://zato.server_conf.main.token', 'token')
    same(conf['odb']['password'], 'zato+secret://zato.server_conf.odb.password', 'odb password')
    same(conf['odb']['engine'], 'sqlite' if ONE_SERVER else 'postgresql+pg8000', 'engine')
    same(conf['misc']['startup_callable'], '', 'startup_callable')
    same(conf['misc']['initial_server_name'], 'server1', 'initial_server_name')
    same(conf['component_enabled']['sso'], 'True', 'sso')


@case('CREATE-13', 'secrets.conf: key1 is the --secret-key and decrypts the token (= server.token), ODB password and JWT secret', 'made')
def _(ctx, m):
    sec = m.server1_secrets
    same(sec['secret_keys']['key1'], m.key, 'key1')
    clear = {k: fernet.decrypt(m.key, v).decode() for k, v in sec['zato'].items()}
    row = m.db.rows("select token from server where name='server1'")
    same(clear['server_conf.main.token'], row[0][0], 'token')
    same(clear['server_conf.odb.password'], m.db.password, 'odb password')
    same(clear['server_conf.misc.jwt_secret'], 'jwt-secret-1', 'jwt secret')
    check(clear['well_known_data'].startswith('3.14'), 'well_known_data')


@case('CREATE-14', '`create server` into a directory that is not empty is rc 5 and adds no row', 'made')
def _(ctx, m):
    same(m.not_empty.rc, 5, 'rc')
    same(m.db.rows("select count(*) from server where name='serverX'")[0][0], '0', 'rows')


@case('CREATE-15', '`create server` with a name that exists is rc 7, but the directory is complete, with a token the ODB lacks', 'made', quirk=True)
def _(ctx, m):
    same(m.same_name.rc, 7, 'rc')
    sec = ini(os.path.join(m.dir, 'server1-again/config/repo/secrets.conf'))
    token = fernet.decrypt(m.key, sec['zato']['server_conf.main.token']).decode()
    same(m.db.rows("select count(*) from server where token='%s'" % token)[0][0], '0', 'rows with that token')
    same(m.db.rows("select count(*) from server where name='server1'")[0][0], '1', 'rows of that name')


@case('CREATE-16', 'recovery from rc 7: DELETE the row of that name, create again: rc 0, new id, token matches', 'made')
def _(ctx, m):
    same((m.server3_first.rc, m.server3_second.rc), (0, 0), 'rcs')
    row = m.db.rows("select id, token from server where name='server3'")
    if not ONE_SERVER:                             # SQLite gives the id of the last row again when that row is gone
        check(row[0][0] != m.server3_id[0][0], 'id did not change')
    sec = ini(os.path.join(m.dir, 'server3/config/repo/secrets.conf'))
    same(fernet.decrypt(m.key, sec['zato']['server_conf.main.token']).decode(), row[0][1], 'token')


@case('CREATE-17', '`from-config`: key=value lines with argparse names create a server, rc 0', 'made')
def _(ctx, m):
    same(m.server2.rc, 0, 'rc: ' + tail(m.server2.err))
    conf = ini(os.path.join(m.dir, 'server2/config/repo/server.conf'))
    same(conf['main']['gunicorn_bind'], '0.0.0.0:%d' % m.port2, 'gunicorn_bind')


@case('CREATE-18', '`from-config`: a blank line is rc 16; so is a command= that is not the internal name (create_lb)', 'made', quirk=True)
def _(ctx, m):
    same((m.blank.rc, m.wrong_command.rc), (16, 16), 'rcs')


@case('CREATE-19', '`create scheduler` rc 0 writes scheduler.conf: bind, key1, API client in clear text', 'made')
def _(ctx, m):
    same(m.scheduler.rc, 0, 'rc: ' + tail(m.scheduler.err))
    conf = ini(os.path.join(m.dir, 'scheduler/config/repo/scheduler.conf'))
    same((conf['bind']['host'], conf['bind']['port']), ('127.0.0.1', str(m.sched_port)), 'bind')
    same(conf['secret_keys']['key1'], m.key, 'key1')
    same(conf['api_clients'].get('sched_client'), 'sched-pw-1', 'API client')
    same(conf['server']['server_password'], ADMIN_PW, 'server_password')


@case('CREATE-20', '`create web-admin` rc 0 writes web-admin.conf (JSON, port 8183); `update password` of admin rc 0', 'made')
def _(ctx, m):
    same(m.dashboard.rc, 0, 'rc: ' + tail(m.dashboard.err))
    conf = json.loads(read(os.path.join(m.dir, 'web-admin/config/repo/web-admin.conf')))
    same((conf['host'], conf['port']), ('0.0.0.0', 8183), 'bind')
    same(conf['ADMIN_INVOKE_NAME'], 'admin.invoke', 'ADMIN_INVOKE_NAME')
    same(conf['ADMIN_INVOKE_PATH'], '/zato/admin/invoke', 'ADMIN_INVOKE_PATH')
    same(m.dash_password.rc, 0, 'rc of update password')


@case('CREATE-21', '`update password` with a relative path to the web-admin directory is rc 16', 'made', quirk=True)
def _(ctx, m):
    same(m.dash_relative.rc, 16, 'rc')


@case('CREATE-22', '`create load-balancer` rc 0 needs no ODB; zato.config has no server lines, lb-agent.conf is JSON', 'made')
def _(ctx, m):
    same(m.lb.rc, 0, 'rc')
    text = read(os.path.join(m.dir, 'lb/config/repo/zato.config'))
    check('monitor-uri /zato-lb-alive' in text, 'no monitor-uri')
    check(not [l for l in text.splitlines() if l.strip().startswith('server ')], 'has server lines')
    same(json.loads(read(os.path.join(m.dir, 'lb/config/repo/lb-agent.conf')))['port'], 20151, 'agent port')
