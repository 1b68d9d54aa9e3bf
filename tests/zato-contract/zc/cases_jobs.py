"""One server on SQLite with its scheduler: jobs, as the operator's agent makes them through admin.invoke.

The jobs of the first cases are made all at once, and run while the cases look at one after another."""

import datetime
import json
import os
import re
import time

from .cases_channels import admin
from .cases_cluster import start_component
from .lib import case, check, fixture, free_port, http, read, same, wait_until, write
from .on_sqlite import on_sqlite, start

SERVICES = '''import json
import os
import time

from zato.server.service import Service


def note(service, is_end=False):
    request = service.request
    line = {'at': time.time(), 'service': service.name, 'payload': repr(request.payload), 'raw': repr(request.raw_request),
            'input': dict(request.input or {}), 'is_end': is_end}
    with open(os.environ['CONTRACT_RUNS'], 'a') as f:
        f.write(json.dumps(line) + '\\n')


class Run(Service):
    name = 'contract.run'

    def handle(self):
        note(self)


class Other(Service):
    name = 'contract.other'

    def handle(self):
        note(self)


class Bare(Service):
    name = 'contract.bare'

    def handle(self):
        note(self)


class Input(Service):
    name = 'contract.input'
    input = 'job', '-number'

    def handle(self):
        note(self)


class Slow(Service):
    name = 'contract.slow'

    def handle(self):
        note(self)
        time.sleep(3)
        note(self, is_end=True)


class Failing(Service):
    name = 'contract.failing'

    def handle(self):
        note(self)
        raise Exception('contract: as wanted')
'''

# Seconds that the first run of a job may be late: the scheduler looks once a second, and machines are slow.
LATE = 20
# Those that runs may take which are waited for.
SOON = 60
# Of five, for what must not run at any time.
PHASE = 3.5

JOB = 'zato.scheduler.job.'


def start_scheduler(ctx, h):
    h.scheduler = start_component(ctx, os.path.join(h.path, 'scheduler'), 'scheduler')


def scheduler_is_up(h):
    wait_until(lambda: http(h.scheduler_port, 'GET', '/', timeout=5).status == 200, 60, 'the scheduler', 0.1)


def configure(h, **keys):
    """Lines of scheduler.conf, the first ones of their names; None takes one out."""
    path = os.path.join(h.path, 'scheduler/config/repo/scheduler.conf')
    text = read(path)
    for key, value in keys.items():
        text = re.sub(r'(?m)^%s=.*\n' % key, '' if value is None else '%s=%s\n' % (key, value), text, count=1)
    write(path, text)


def with_scheduler(ctx, name):
    file, scheduler_port = os.path.join(ctx.root, 'runs-' + name), free_port()
    h = on_sqlite(ctx, name, {'contract_jobs.py': SERVICES}, CONTRACT_RUNS=file,
                  Zato_Config_Server_server__conf_scheduler_scheduler_port=scheduler_port)
    h.file, h.scheduler_port, h.seen = file, scheduler_port, {}
    configure(h, host='127.0.0.1', port=h.scheduler_port, server_path=None, server_port=h.port)
    return h


def started(ctx, name):
    h = with_scheduler(ctx, name)
    start(ctx, h)
    start_scheduler(ctx, h)
    scheduler_is_up(h)
    # They are there when the scheduler has asked the server for its jobs.
    wait_until(lambda: len(rows(h)) == 2, SOON, 'the jobs of Zato itself')
    return h


@fixture
def jobs(ctx):
    h = started(ctx, 'jobs')
    h.began = time.time()
    every(h, 'contract.cron', job_type='cron_style', cron_definition='* * * * *')
    every(h, 'contract.seconds', job_type='cron_style', cron_definition='*/3 * * * * * *')
    every(h, 'contract.now', seconds=4)
    every(h, 'contract.future', seconds=60, start_date=date(5))
    every(h, 'contract.past', seconds=60, start_date=date(-55))
    every(h, 'contract.once', job_type='one_time', start_date=date(4))
    every(h, 'contract.late', job_type='one_time', start_date=date(-60))
    every(h, 'contract.never', job_type='one_time', start_date=date(4), is_active=False)
    every(h, 'contract.repeats', seconds=1, repeats=3, start_date=date(8))
    every(h, 'contract.input', 'contract.input', seconds=2, extra='{"job": "contract.input", "number": 5}')
    every(h, 'contract.lines', seconds=2, extra='job=contract.lines\nnumber=5')
    every(h, 'contract.bare', 'contract.bare', seconds=2, extra=None)
    for name, extra in (('text', 'hello'), ('number', '7'), ('list', '[1, 2]')):
        every(h, 'contract.' + name, 'contract.other', seconds=2, extra=extra)
    every(h, 'contract.slow', 'contract.slow', seconds=1)
    every(h, 'contract.failing', 'contract.failing', seconds=2)
    every(h, 'contract.same', seconds=5)
    every(h, 'contract.edited', seconds=600)
    every(h, 'contract.off', seconds=2)
    every(h, 'contract.status', seconds=2)
    every(h, 'contract.deleted', seconds=2)
    return h


def date(seconds=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime('%Y-%m-%d %H:%M:%S')


def at(text):
    return datetime.datetime.strptime(text, '%Y-%m-%d %H:%M:%S').replace(tzinfo=datetime.timezone.utc).timestamp()


def fields(name, service='contract.run', **more):
    """Of a job whose name its service sees."""
    given = dict({'name': name, 'is_active': True, 'service': service, 'job_type': 'interval_based', 'start_date': date(),
                  'extra': json.dumps({'job': name})}, **more)
    return {key: value for key, value in given.items() if value is not None}


def every(h, name, service='contract.run', **more):
    given = fields(name, service, **more)
    resp = admin(h, JOB + 'create', **given)
    same(resp.status, 200, 'create: ' + resp.text[-300:])
    h.seen[name] = dict(given, id=resp.data['id'])


def edit(h, which, /, **more):
    """What is None is left out."""
    given = {key: value for key, value in dict(h.seen[which], **more).items() if value is not None}
    return admin(h, JOB + 'edit', **given)


def edited(h, which, /, **more):
    resp = edit(h, which, **more)
    same(resp.status, 200, 'edit: ' + resp.text[-300:])


def rows(h):
    return admin(h, JOB + 'get-list').data or []


def row(h, name):
    return next((item for item in rows(h) if item['name'] == name), None)


def runs(h, name, since=0):
    """When a job ran, or a service."""
    lines = [json.loads(line) for line in read(h.file).splitlines() if line.endswith('}')] if os.path.exists(h.file) else []
    return [line for line in lines if line['at'] > since and (line['service'] == name or repr(name) in line['payload'])]


def wait_for_runs(h, name, count=1, since=0, timeout=SOON):
    wait_until(lambda: len(runs(h, name, since)) >= count, timeout, '%d runs of %s' % (count, name), 0.1)
    return runs(h, name, since)


def refused(resp, *parts):
    same(resp.status, 500, 'status')
    details = json.loads(resp.text)['details']
    for part in parts:
        check(part in details, '%r is not in %s' % (part, details[-900:]))


def near(moment, wanted, what):
    check(-0.5 < moment - wanted < LATE, '%s: %.1f s after the wanted time' % (what, moment - wanted))


def pause_for(seconds, done=lambda: False):
    """Time in which something must not happen, or may end."""
    end = time.time() + seconds
    while time.time() < end and not done():
        time.sleep(0.1)


@case('JOB-01', 'get-list: all jobs by name, those of Zato too; numbers are texts; get-by-name has no element and another date', 'jobs')
def _(ctx, h):
    given = h.seen['contract.edited']
    want = {'id': given['id'], 'is_active': True, 'job_type': 'interval_based', 'name': 'contract.edited',
            'service_name': 'contract.run', 'start_date': given['start_date'], 'cron_definition': None, 'days': None,
            'extra': given['extra'], 'hours': None, 'minutes': None, 'repeats': None, 'seconds': '600', 'weeks': None}
    found = row(h, 'contract.edited')
    check(isinstance(found.pop('service_id'), int), 'service_id')
    same(found, want, 'row')
    names = [item['name'] for item in rows(h)]
    same(names, sorted(names), 'order')
    check('zato.outgoing.sql.auto-ping' in names and 'zato.pubsub.cleanup' in names, names)
    cron, once = row(h, 'contract.cron'), row(h, 'contract.never')
    same((cron['job_type'], cron['cron_definition'], cron['seconds']), ('cron_style', '* * * * *', None), 'cron')
    same((once['job_type'], once['is_active'], once['seconds']), ('one_time', False, None), 'one_time')
    same(row(h, 'contract.bare')['extra'], '', 'no extra')
    by_name = admin(h, JOB + 'get-by-name', name='contract.edited').data
    same((by_name['id'], by_name['start_date']), (given['id'], given['start_date'].replace(' ', 'T')), 'get-by-name')
    refused(admin(h, JOB + 'get-by-name', name='contract.nothing'), 'sqlalchemy.orm.exc.NoResultFound: No row was found for one()')


@case('JOB-02', 'create: a name that exists, a service that does not, no interval, an unknown kind, no start_date', 'jobs')
def _(ctx, h):
    create = lambda name='contract.refused', **more: admin(h, JOB + 'create', **fields(name, **dict({'seconds': 600}, **more)))
    refused(create('contract.edited'), 'zato.common.exception.ZatoException: ', 'Job `contract.edited` already exists on this cluster')
    same((lambda r: (r.status, r.data))(create('contract.edited', should_ignore_existing=True)), (200, {}), 'should_ignore_existing')
    refused(create(service='contract.nothing'), 'zato.common.exception.ServiceMissingException: ',
            'ODBService `contract.nothing` does not exist in this cluster')
    refused(create(seconds=None), "At least one of ['weeks', 'days', 'hours', 'minutes', 'seconds'] must be given")
    refused(create(job_type='hourly'), 'Unrecognized job type [hourly]')
    refused(create(start_date='yesterday'), 'ValueError: ')
    for name in ('start_date', 'is_active', 'service'):
        resp = create(**{name: None})
        same((resp.status, json.loads(resp.text)['details']), (400, 'Element missing: ' + name), name)
    same(row(h, 'contract.refused'), None, 'row')


@case('JOB-03', 'an interval that is no whole number: 500, but the row is written', 'jobs', quirk=True)
def _(ctx, h):
    refused(admin(h, JOB + 'create', **fields('contract.half', seconds=1.5)),
            "ValueError: invalid literal for int() with base 10: '1.5'")
    same(row(h, 'contract.half')['seconds'], '1.5', 'seconds')


@case('JOB-04', 'names: blanks, non-ASCII letters, 200 characters are kept as they are; dates: an offset is cut off', 'jobs')
def _(ctx, h):
    for name in (' contract two ', 'contract.\u017c\u00f3\u0142\u0107', 'zato.contract', 'contract.' + 'x' * 191):
        every(h, name, seconds=600)
        same(row(h, name)['id'], h.seen[name]['id'], name)
    every(h, 'contract.offset', seconds=600, start_date='2050-01-02T03:04:05+02:00')
    same(row(h, 'contract.offset')['start_date'], '2050-01-02 03:04:05', 'start_date')


@case('JOB-05', 'first run: one interval after a start date of now, at one to come, at the next multiple of one that is past', 'jobs')
def _(ctx, h):
    for name, later in (('now', 4), ('future', 0), ('past', 60)):
        name = 'contract.' + name
        first = wait_for_runs(h, name)[0]['at']
        near(first, at(h.seen[name]['start_date']) + later, name)
    times = [run['at'] for run in wait_for_runs(h, 'contract.now', 3)]
    # Not all of them: a machine that starts servers beside it may lose one.
    check(2.5 < min(after - before for before, after in zip(times, times[1:])) < 6, 'times: %r' % times)


@case('JOB-06', 'the service has `extra` as its payload: JSON, or lines of key=value; without any, a key of Zato', 'jobs')
def _(ctx, h):
    run = wait_for_runs(h, 'contract.now')[0]
    same((run['payload'], run['raw']), (repr({'job': 'contract.now'}), repr('{"job": "contract.now"}')), 'JSON')
    run = wait_for_runs(h, 'contract.input')[0]
    same(run['input'], {'job': 'contract.input', 'number': '5'}, 'SimpleIO')
    run = wait_for_runs(h, 'contract.lines')[0]
    same(run['payload'], repr({'job': 'contract.lines', 'number': 5}), 'lines')
    run = wait_for_runs(h, 'contract.bare')[0]
    same(run['payload'], repr({'skip_response_elem': True}), 'no extra')


@case('JOB-07', 'any other text in `extra`: create is a 200, and the service never runs', 'jobs', quirk=True)
def _(ctx, h):
    wait_for_runs(h, 'contract.input', 3)
    same(runs(h, 'contract.other'), [], 'runs')


@case('JOB-08', 'a run does not wait for the one before; one that fails is followed by the next', 'jobs')
def _(ctx, h):
    # One run takes three seconds.
    def at_once():
        going = most = 0
        for run in runs(h, 'contract.slow'):
            going += -1 if run['is_end'] else 1
            most = max(most, going)
        return most > 1
    wait_until(at_once, SOON, 'two at once')
    wait_for_runs(h, 'contract.failing', 3)


@case('JOB-09', 'an edit without a change: it runs at the same times as without', 'jobs')
def _(ctx, h):
    start = at(h.seen['contract.same']['start_date'])
    began = time.time()
    while time.time() < began + 12:
        # Not when it is to run: an edit in the second after that takes this run away.
        if 1.5 < (time.time() - start) % 5 < 4:
            edited(h, 'contract.same')
        pause_for(0.5)
    times = [run['at'] for run in runs(h, 'contract.same', began)]
    check(len(times) in (2, 3), 'times: %r' % times)
    for moment in times:
        check((moment - start + 0.5) % 5 < PHASE, 'runs %.1f s after a multiple' % ((moment - start) % 5))


@case('JOB-10', 'an edit of the interval, the service and the name acts soon; what it leaves out is reset', 'jobs')
def _(ctx, h):
    # They take their time, and the cases before this one are those that a busy machine would disturb.
    ctx.begin('restarted')
    ctx.begin('stuck')
    began = time.time()
    edited(h, 'contract.edited', name='contract.renamed', service='contract.other', seconds=2, extra='{"job": "contract.renamed"}')
    wait_for_runs(h, 'contract.renamed', 2, began)
    same([run['service'] for run in runs(h, 'contract.renamed')][:2], ['contract.other'] * 2, 'service')
    edited(h, 'contract.edited', name='contract.edited', service='contract.bare', seconds=None, minutes=10, extra=None)
    found = row(h, 'contract.edited')
    same((found['seconds'], found['minutes'], found['extra']), (None, '10', ''), 'row')
    resp = edit(h, 'contract.edited', start_date=None, seconds=2)
    same((resp.status, json.loads(resp.text)['details']), (400, 'Element missing: start_date'), 'no start_date')
    refused(edit(h, 'contract.edited', name='contract.now', seconds=2), 'Job `contract.now` already exists on this cluster')
    refused(edit(h, 'contract.edited', id=98765, name='contract.nothing', seconds=2), 'NoResultFound: No row was found for one()')


@case('JOB-11', 'an edit to inactive stops it, one to active lets it run again', 'jobs')
def _(ctx, h):
    wait_for_runs(h, 'contract.off')
    edited(h, 'contract.off', is_active=False)
    pause_for(2)
    began = time.time()
    pause_for(4)
    same(runs(h, 'contract.off', began), [], 'runs of an inactive one')
    edited(h, 'contract.off')
    wait_for_runs(h, 'contract.off', 2, began)


@case('JOB-12', 'set-active-status changes the row only; execute runs it now, inactive ones too; delete stops it', 'jobs', quirk=True)
def _(ctx, h):
    wait_for_runs(h, 'contract.status')
    same(admin(h, JOB + 'set-active-status', id=h.seen['contract.status']['id'], is_active=False).status, 200, 'set-active-status')
    same(row(h, 'contract.status')['is_active'], False, 'is_active')
    every(h, 'contract.executed', seconds=600, is_active=False)
    same(admin(h, JOB + 'delete', id=h.seen['contract.deleted']['id']).status, 200, 'delete')
    pause_for(2)
    began = time.time()
    same(admin(h, JOB + 'execute', id=h.seen['contract.executed']['id']).status, 200, 'execute')
    wait_for_runs(h, 'contract.executed', 1, began)
    wait_for_runs(h, 'contract.status', 2, began)
    same(runs(h, 'contract.deleted', began), [], 'runs of a deleted one')
    for name in ('delete', 'execute', 'set-active-status'):
        refused(admin(h, JOB + name, id=98765, is_active=True), 'NoResultFound: No row was found for one()')


@case('JOB-13', 'another kind: to cron_style is a 500; to one_time is a 200, runs once, and the row is gone', 'jobs', quirk=True)
def _(ctx, h):
    every(h, 'contract.kind', seconds=600)
    refused(edit(h, 'contract.kind', job_type='cron_style', cron_definition='* * * * *'), "AttributeError: 'NoneType' object has no attribute 'id'")
    edited(h, 'contract.kind', job_type='one_time', start_date=date(3))
    same(row(h, 'contract.kind')['job_type'], 'interval_based', 'job_type')
    wait_for_runs(h, 'contract.kind')
    wait_until(lambda: row(h, 'contract.kind') is None, SOON, 'no row')


@case('JOB-14', 'after its repeats a job does not run any more; its row is as before', 'jobs', quirk=True)
def _(ctx, h):
    wait_for_runs(h, 'contract.repeats', 3)
    found = row(h, 'contract.repeats')
    same((found['is_active'], found['repeats']), (True, '3'), 'row')
    same(len(runs(h, 'contract.repeats')), 3, 'runs')


@case('JOB-15', 'one_time: runs at its date, its row is gone then; one that is past runs after 10 seconds; inactive: stays', 'jobs')
def _(ctx, h):
    near(wait_for_runs(h, 'contract.once')[0]['at'], at(h.seen['contract.once']['start_date']), 'contract.once')
    near(wait_for_runs(h, 'contract.late')[0]['at'], h.began + 10, 'contract.late')
    for name in ('contract.once', 'contract.late'):
        wait_until(lambda: row(h, name) is None, SOON, 'no row of ' + name)
        same(len(runs(h, name)), 1, 'runs of ' + name)
    same((row(h, 'contract.never')['is_active'], runs(h, 'contract.never')), (False, []), 'inactive')


@case('JOB-16', 'cron_style: five fields, or seven with seconds first; day and weekday must both match; never is taken', 'jobs', quirk=True)
def _(ctx, h):
    wait_until(lambda: len([run for run in runs(h, 'contract.seconds') if (run['at'] + 0.5) % 3 < 1.5]) >= 3, SOON, 'runs')
    times = [run['at'] for run in runs(h, 'contract.seconds')]
    check(len(times) <= (time.time() - h.began) / 3 + 2, 'times: %r' % times)
    create = lambda name, definition: admin(h, JOB + 'create', **fields(name, job_type='cron_style', cron_definition=definition))
    refused(create('contract.refused', '* * * *'), 'ValueError: improper number of cron entries specified; got 4 need 5 to 7')
    refused(create('contract.refused', '60 * * * *'), 'ValueError: item value 60 out of range [0, 59]')
    refused(create('contract.refused', '@reboot'), 'ValueError: improper number of cron entries specified; got 1 need 5 to 7')
    same(row(h, 'contract.refused'), None, 'row')
    for number, definition in enumerate((' 0 0 30 2 * ', '@hourly', '0 0 L * mon-fri')):
        name = 'contract.cron-%d' % number
        resp = create(name, definition)
        same((resp.status, resp.data['cron_definition'], row(h, name)['cron_definition']), (200, definition.strip(), definition.strip()), name)
    today = datetime.datetime.now(datetime.timezone.utc)
    # Each second of this day of the month and the next, if that were enough: it is another weekday.
    days = '%d,%d' % (today.day, (today + datetime.timedelta(days=1)).day)
    every(h, 'contract.weekday', job_type='cron_style', cron_definition='* * * %s * %d *' % (days, (today.isoweekday() + 3) % 7))
    pause_for(3)
    same(runs(h, 'contract.weekday'), [], 'runs on another weekday')


@case('JOB-17', 'a start date far in the past: nothing is answered until its runs are stepped through', 'jobs', quirk=True)
def _(ctx, h):
    began = time.time()
    # Not more steps than are made in the five seconds that the server waits.
    every(h, 'contract.far', seconds=3, start_date=date(-30 * 86400))
    slowest = 0

    def answered():
        nonlocal slowest
        before = time.time()
        http(h.scheduler_port, 'GET', '/', timeout=20)
        slowest = max(slowest, time.time() - before)
        return slowest > 0.5
    wait_until(answered, SOON, 'a late answer', 0.05)
    wait_for_runs(h, 'contract.far', 2, began)
    return '%.1f s' % slowest


@case('JOB-18', 'cron_style of five fields runs when the minute begins', 'jobs')
def _(ctx, h):
    for run in wait_for_runs(h, 'contract.cron', timeout=120):
        check((run['at'] + 0.5) % 60 < 4, 'at %.1f' % (run['at'] % 60))


@case('JOB-19', 'the row of a service takes those of its jobs with it', 'jobs')
def _(ctx, h):
    every(h, 'contract.orphan', 'contract.failing', seconds=600)
    ident = row(h, 'contract.orphan')['service_id']
    same(admin(h, 'zato.service.delete', id=ident).status, 200, 'delete')
    wait_until(lambda: row(h, 'contract.orphan') is None, SOON, 'no row')
    same(row(h, 'contract.failing'), None, 'the other one')


# ---------------------------------------------------------------------------------------- starts of the scheduler

def restart_scheduler(ctx, h, meanwhile, **keys):
    h.scheduler.kill()
    configure(h, **keys)
    meanwhile()
    start_scheduler(ctx, h)
    scheduler_is_up(h)


@fixture
def restarted(ctx):
    """The scheduler starts a second time as it is created, and a third time with the jobs of the database."""
    h = started(ctx, 'restarted')
    every(h, 'contract.interval', seconds=10)
    every(h, 'contract.seconds', job_type='cron_style', cron_definition='*/3 * * * * * *')
    for name in ('edited', 'status', 'deleted'):
        every(h, 'contract.' + name, seconds=2)
        wait_for_runs(h, 'contract.' + name)

    def first():
        every(h, 'contract.down', seconds=2)
        h.first = time.time()
        pause_for(1)
    restart_scheduler(ctx, h, first)
    # What is made while it is down is sent again and again.
    h.down_runs = wait_for_runs(h, 'contract.down', 2)
    h.other_runs = [runs(h, name, h.first) for name in ('contract.interval', 'contract.seconds', 'contract.edited')]
    edited(h, 'contract.edited')
    h.edited_runs = wait_for_runs(h, 'contract.edited', 2, h.first)

    every(h, 'contract.missed', job_type='one_time', start_date=date(3))
    every(h, 'contract.kept', job_type='one_time', start_date=date(600))
    admin(h, JOB + 'set-active-status', id=h.seen['contract.status']['id'], is_active=False)
    pause_for(0.5)

    def second():
        every(h, 'contract.twice', seconds=3)
        edited(h, 'contract.edited', seconds=3)
        admin(h, JOB + 'delete', id=h.seen['contract.deleted']['id'])
        pause_for(at(h.seen['contract.missed']['start_date']) + 1 - time.time())
        h.second = time.time()
    restart_scheduler(ctx, h, second, server_prefer_odb_config='True')
    h.up = time.time()
    return h


@case('JOB-20', 'the scheduler starts again, as it is created: no job runs that was there; an edit without a change brings it back', 'restarted', quirk=True)
def _(ctx, h):
    same(h.other_runs, [[], [], []], 'runs of those that were there')
    check(h.edited_runs and h.down_runs, 'no runs')


@case('JOB-21', 'with server_prefer_odb_config=True all run again, as the rows say; a one_time job that is late 10 seconds after', 'restarted')
def _(ctx, h):
    for name in ('contract.seconds', 'contract.edited'):
        wait_for_runs(h, name, 2, h.second)
    late = wait_for_runs(h, 'contract.interval', 1, h.second)[0]['at'] - at(h.seen['contract.interval']['start_date'])
    check((late + 0.5) % 10 < 6, 'runs %.1f s after a multiple' % (late % 10))
    near(wait_for_runs(h, 'contract.missed')[0]['at'], h.scheduler.started + 10, 'contract.missed')
    wait_until(lambda: row(h, 'contract.missed') is None, SOON, 'no row')
    check(row(h, 'contract.kept') is not None, 'one that is to come is gone')
    same(runs(h, 'contract.status', h.second) + runs(h, 'contract.deleted', h.second), [], 'runs')


@case('JOB-22', 'made while that one was down it runs twice an interval, also after it is deleted', 'restarted', quirk=True)
def _(ctx, h):
    # By now what was sent while it was down has come.
    pause_for(h.up + 12 - time.time())
    admin(h, JOB + 'delete', id=h.seen['contract.twice']['id'])
    same(row(h, 'contract.twice'), None, 'row')
    times = [run['at'] for run in runs(h, 'contract.twice', h.up)]
    check(len(times) > (times[-1] - times[0]) / 3 + 1.5, 'times: %r' % times)
    pause_for(1)
    wait_for_runs(h, 'contract.twice', 2, time.time())


@fixture
def stuck(ctx):
    """A scheduler that has more to do than it may; and a server that is down when a job is to run."""
    h = started(ctx, 'stuck')
    every(h, 'contract.seconds', job_type='cron_style', cron_definition='*/3 * * * * * *')
    wait_for_runs(h, 'contract.seconds')
    every(h, 'contract.endless', seconds=1, start_date=date(-60 * 86400))
    # It is sent the second time 13 s after the first one.
    pause_for(14)
    h.endless = time.time()
    try:
        h.answer = http(h.scheduler_port, 'GET', '/', timeout=4).status
    except OSError:
        h.answer = None
    same(admin(h, JOB + 'delete', id=h.seen['contract.endless']['id']).status, 200, 'delete')
    pause_for(6)
    h.runs = runs(h, 'contract.seconds', h.endless)

    h.scheduler.kill()
    h.proc.kill()
    start(ctx, h)
    # All of them run again after the start.
    configure(h, server_prefer_odb_config='True')
    start_scheduler(ctx, h)
    scheduler_is_up(h)
    wait_for_runs(h, 'contract.seconds', 1, time.time())
    every(h, 'contract.lost', job_type='one_time', start_date=date(6))
    # The scheduler has to know of it.
    pause_for(2)
    h.proc.kill()
    pause_for(at(h.seen['contract.lost']['start_date']) + 3 - time.time())
    start(ctx, h)
    wait_for_runs(h, 'contract.seconds', 1, time.time())
    return h


@case('JOB-23', 'more steps than five seconds take: no job runs any more; only a start of scheduler and server helps', 'stuck', quirk=True)
def _(ctx, h):
    same((h.answer, h.runs), (None, []), 'answer, runs')


@case('JOB-24', 'a one_time job of a time when no server is up is lost: its row stays', 'stuck', quirk=True)
def _(ctx, h):
    same((row(h, 'contract.lost')['is_active'], runs(h, 'contract.lost')), (True, []), 'row and runs')


@case('JOB-25', 'with server_prefer_odb_config=True and a database that no server has written to, the scheduler opens no port', (), quirk=True)
def _(ctx):
    h = with_scheduler(ctx, 'unserved')
    configure(h, server_prefer_odb_config='True')
    start_scheduler(ctx, h)
    wait_until(lambda: 'Waiting for ODB service `zato.outgoing.sql.auto-ping` (ODB)' in h.scheduler.log(), 60, 'that it waits')
    try:
        status = http(h.scheduler_port, 'GET', '/', timeout=2).status
    except OSError:
        status = None
    same((status, h.scheduler.alive()), (None, True), 'status, alive')
