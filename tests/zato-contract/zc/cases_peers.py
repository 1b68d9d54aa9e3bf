"""Two servers on PostgreSQL that have no directory in common but the file system: what one deploys while the other is down,
and what it takes until a service is gone from both."""

import os

from .cases_cluster import FAST
from .cases_create import ADMIN_PW, new_key, new_pg, server_flags
from .lib import (ONE_SERVER, Bag, Skip, admin_invoke, api, case, check, deploy, fixture, free_port, http, same,
                  service_source, unwrap, wait_until)

FILE = 'contract_peer.py'


class Peer:

    def __init__(self, ctx, p, name):
        self.ctx, self.name, self.port = ctx, name, free_port()
        self.path, self.hot = [os.path.join(ctx.root, 'peers', kind + name) for kind in ('', 'hot-')]
        self.current = os.path.join(self.path, 'work/hot-deploy/current')
        os.makedirs(self.hot)
        same(ctx.run('create', 'server', *p.db.flags(), *server_flags(p, self.port), self.path, 'c1', name).rc, 0, name)
        ctx.quiet(self.path)
        self.start()

    def start(self):
        self.proc = self.ctx.start_server(self.path, self.port, self.name, env={'ZATO_HOT_DEPLOY_DIR': self.hot})
        self.ctx.ready(self.proc, self.port)

    def stop(self):
        self.proc.term()
        self.proc.wait(60)

    def again(self):
        """As a pod that is made anew: without what was copied."""
        self.stop()
        copied = os.path.join(self.current, FILE)
        if os.path.exists(copied):
            os.remove(copied)
        self.start()

    def status(self):
        return api(self.port, 'contract.peer', {}, user='pubapi', password='pub-pw-1').status


@fixture
def peers(ctx):
    if ONE_SERVER:
        raise Skip('no PostgreSQL given (PG_HOST)')
    p = Bag(db=new_pg(ctx, 'peers'), key=new_key(ctx), sched_port=free_port(), port1=free_port())
    same(ctx.run('create', 'odb', *p.db.flags()).rc, 0, 'odb')
    same(ctx.run('create', 'cluster', *p.db.flags(), '--secret-key=' + p.key, '--admin-invoke-password', ADMIN_PW, 'c1').rc, 0, 'cluster')
    p.one, p.two = Peer(ctx, p, 'peer1'), Peer(ctx, p, 'peer2')
    same(ctx.run('change-password', '--path', p.one.path, '--name', 'pubapi', '--password', 'pub-pw-1').rc, 0, 'change-password')
    p.two.stop()
    deploy(p.one.hot, FILE, service_source('contract.peer', 'here'))
    wait_until(lambda: p.one.status() == 200, FAST, 'the service on the server that is up')
    p.two.start()
    return p


def service_id(port):
    rows = unwrap(admin_invoke(port, 'zato.service.get-list', {'cluster_id': 1, 'query': ''})[1])
    return [row['id'] for row in rows if row['name'] == 'contract.peer'][0]


@case('PEER-01', 'what was deployed while a server was down it fetches at its start, and keeps a copy in work/hot-deploy/current', 'peers')
def _(ctx, p):
    same(p.two.status(), 200, 'status')
    check(os.path.exists(os.path.join(p.two.current, FILE)), 'no copy')
    check('Found extra services to deploy' in p.two.proc.log(), 'log line')


@case('PEER-02', 'zato.service.get-deployment-info-list: a row for each server, with where it has the file', 'peers')
def _(ctx, p):
    rows = unwrap(admin_invoke(p.one.port, 'zato.service.get-deployment-info-list', {'id': service_id(p.one.port)})[1])
    same(sorted(row['server_name'] for row in rows), ['peer1', 'peer2'], 'server_name')
    where = {row['server_name']: row['fs_location'] for row in rows}
    same(where['peer1'], os.path.join(p.one.hot, FILE), 'fs_location')
    same(where['peer2'], os.path.join(p.two.current, FILE), 'fs_location of the copy')


@case('PEER-03', 'the row of a server that ran, whose address no longer resolves, does not hold a change up', 'peers')
def _(ctx, p):
    p.db.rows("insert into server (id, name, bind_host, bind_port, preferred_address, up_status, token, cluster_id) values "
              "(nextval('server_id_seq'), 'gone', '0.0.0.0', 17010, 'gone.contract.invalid', 'running', 'gone', 1)")
    req = {'cluster_id': 1, 'name': 'contract.peer', 'is_active': True, 'connection': 'channel', 'transport': 'plain_http',
           'is_internal': False, 'url_path': '/contract/peer', 'service': 'contract.peer', 'data_format': 'json',
           'security_id': 'ZATO_NONE', 'http_accept': '*/*'}
    same(admin_invoke(p.one.port, 'zato.http-soap.create', req)[0].status, 200, 'status')
    secs = wait_until(lambda: http(p.two.port, 'POST', '/contract/peer', {}).status == 200, FAST, 'channel on the other one')[1]
    gone = p.db.rows("select id from server where name='gone'")[0][0]
    same(admin_invoke(p.two.port, 'zato.server.delete', {'id': int(gone)})[0].status, 200, 'status of delete')
    return '%.1fs' % secs


@case('PEER-04', 'the file deleted, the server made anew: the service is back, from the row of the other one', 'peers', quirk=True)
def _(ctx, p):
    os.remove(os.path.join(p.one.hot, FILE))
    p.one.again()
    same(p.one.status(), 200, 'status')
    check(os.path.exists(os.path.join(p.one.current, FILE)), 'no copy')


@case('PEER-05', 'zato.service.delete, then both made anew: the service is gone', 'peers')
def _(ctx, p):
    same(admin_invoke(p.one.port, 'zato.service.delete', {'id': service_id(p.one.port)})[0].status, 200, 'status')
    p.one.again()
    p.two.again()
    same((p.one.status(), p.two.status()), (400, 400), 'status')
    same(p.db.rows("select count(*) from service where name='contract.peer'")[0][0], '0', 'rows')
