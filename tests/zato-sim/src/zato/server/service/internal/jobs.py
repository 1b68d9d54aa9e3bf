"""zato.scheduler.job.*: the rows of jobs. The scheduler is told of changes after the answer."""

from datetime import datetime

from zato.common import jobs, odb
from zato.common.cron import Cron
from zato.common.exception import ServiceMissingException, ZatoException
from zato.server import scheduler
from zato.server.service import Bool, Text
from zato.server.service.internal import AdminService, constraints

FIRST = ('id', 'is_active', 'job_type', 'name', 'service_id', 'service_name')
NUMBERS = ('days', 'hours', 'minutes', 'repeats', 'seconds', 'weeks')


def listed(row, separator=' '):
    """Numbers are texts."""
    date = row.start_date if not row.start_date.endswith('.000000') else row.start_date[:-len('.000000')]
    rest = {name: None if row[name] is None else str(row[name]) for name in NUMBERS}
    rest.update(cron_definition=row.cron_definition, extra=(row.extra or b'').decode())
    return dict({name: row[name] for name in FIRST}, start_date=date.replace(' ', separator), **dict(sorted(rest.items())))


class GetList(AdminService):
    """All in one answer, those of Zato itself as well."""
    name = 'zato.scheduler.job.get-list'
    element = 'zato_scheduler_job_get_list_response'
    input = 'cluster_id', Text('-service_name')

    def handle(self):
        given = self.request.input
        rows = self.server.odb.rows(jobs.JOB_SQL + ' order by j.name', given.cluster_id)
        self.answer([listed(row) for row in rows if given.service_name in ('', row.service_name)])


class GetByName(AdminService):
    """No element around it, and another format of the date than in the list."""
    name = 'zato.scheduler.job.get-by-name'
    input = 'cluster_id', Text('name')
    column = 'name'

    def handle(self):
        value = self.request.input[self.column]
        row = self.one('%s and j.%s=?' % (jobs.JOB_SQL, self.column), self.server.cluster_id, value)
        self.response.payload = listed(row, 'T')


class GetByID(GetByName):
    name = 'zato.scheduler.job.get-by-id'
    input = 'cluster_id', 'id'
    column = 'id'


def date_of(text):
    """An offset is cut off, and does not count."""
    if not text:
        raise ValueError('Unexpected end of string while parsing year. Expected 4 more characters')
    return datetime.fromisoformat(text.replace('Z', '')).replace(tzinfo=None)


class Writer:
    """What making and editing have in common. What is not given is reset."""

    action = None
    input = ('cluster_id', Text('name'), Bool('is_active'), Text('job_type'), Text('service'), Text('start_date'), '-id',
             Text('-extra'), Text('-cron_definition'), Bool('-should_ignore_existing')) + tuple(
                 Text('-' + name) for name in NUMBERS)

    def handle(self):
        given = self.request.input
        if given.job_type not in (jobs.ONCE, jobs.INTERVAL, jobs.CRON):
            raise ZatoException(self.cid, 'Unrecognized job type [%s]' % given.job_type)
        if self.same_name(given):
            if given.should_ignore_existing:
                self.answer({})
                return
            raise ZatoException(self.cid, 'Job `%s` already exists on this cluster' % given.name)
        service = self.server.odb.row('select * from service where cluster_id=? and name=?', given.cluster_id, given.service)
        if service is None:
            raise ServiceMissingException(self.cid, 'ODBService `%s` does not exist in this cluster' % given.service)
        date = date_of(given.start_date)
        columns = dict(name=given.name, is_active=bool(given.is_active), start_date=date.strftime(jobs.DATE_FORMAT),
                       service_id=service.id, extra=(given.extra or '').encode())
        old = self.write(given, columns)
        # After the row is written: what is no whole number fails here, and its row stays. A defect of the real thing.
        message = dict({name: int(given[name]) if given[name] else 0 for name in NUMBERS}, action=self.action, id=given.id,
                       name=given.name, job_type=given.job_type, is_active=columns['is_active'], service=service.name,
                       start_date=date.isoformat(), extra=given.extra or '', cron_definition=given.cron_definition)
        scheduler.tell(self.server, dict(message, old_name=old))
        answer = {'id': given.id, 'name': given.name}
        self.answer(dict({'cron_definition': given.cron_definition}, **answer) if given.job_type == jobs.CRON else answer)

    def same_name(self, given):
        return self.server.odb.row('select id from job where cluster_id=? and name=? and id != ?', given.cluster_id,
                                   given.name, given.id or 0)

    @staticmethod
    def details(given):
        """The columns of the table that the kind of job has of its own."""
        if given.job_type == jobs.INTERVAL:
            if not any(given[name] for name in jobs.UNITS):
                raise ZatoException(None, 'At least one of %s must be given' % list(jobs.UNITS))
            return {name: given[name] or None for name in NUMBERS}
        if given.job_type == jobs.CRON:
            given.cron_definition = (given.cron_definition or '').strip()
            # Whether it is one, not whether it ever comes.
            Cron(given.cron_definition)
            return {'cron_definition': given.cron_definition}
        return {}


TABLES = {jobs.INTERVAL: ('job_interval_based', 'interval_id'), jobs.CRON: ('job_cron_style', 'cron_id')}


class Create(Writer, AdminService):
    name = 'zato.scheduler.job.create'
    element = 'zato_scheduler_job_create_response'
    action = jobs.CREATE

    def same_name(self, given):
        given.id = 0
        return super().same_name(given)

    def write(self, given, columns):
        details = self.details(given)
        with constraints(), self.server.odb.transaction() as connection:
            given.id = odb.insert(connection, 'job', job_type=given.job_type, cluster_id=given.cluster_id, **columns)
            if details:
                odb.insert(connection, TABLES[given.job_type][0], job_id=given.id, **details)


class Edit(Writer, AdminService):
    """The kind of a job cannot be changed. An interval that is to be one_time is told the scheduler, though, which runs it once
    and has its row deleted: a defect of the real thing."""
    name = 'zato.scheduler.job.edit'
    element = 'zato_scheduler_job_edit_response'
    action = jobs.EDIT

    def write(self, given, columns):
        row = self.one(jobs.JOB_SQL + ' and j.id=?', given.cluster_id, given.id)
        details = self.details(given)
        with constraints(), self.server.odb.transaction() as connection:
            self.update(connection, 'job', columns, row.id)
            if details:
                table, column = TABLES[given.job_type]
                if row[column] is None:
                    raise AttributeError("'NoneType' object has no attribute 'id'")
                self.update(connection, table, details, row[column])
        return row.name

    @staticmethod
    def update(connection, table, columns, ident):
        sql = 'update %s set %s where id=?' % (table, ', '.join('%s=?' % name for name in columns))
        connection.execute(sql, (*columns.values(), ident))


class Delete(AdminService):
    """What is not there is an error. One that ran once is deleted by the scheduler in this way."""
    name = 'zato.scheduler.job.delete'
    input = 'id',

    def handle(self):
        row = self.one('select * from job where id=?', self.request.input.id)
        with self.server.odb.transaction() as connection:
            jobs.delete(connection, row.id)
        scheduler.tell(self.server, {'action': jobs.DELETE, 'name': row.name})


class Execute(AdminService):
    """Whether it is active does not count."""
    name = 'zato.scheduler.job.execute'
    input = 'id',

    def handle(self):
        row = self.one('select * from job where id=?', self.request.input.id)
        scheduler.tell(self.server, {'action': jobs.EXECUTE, 'name': row.name})


class SetActiveStatus(AdminService):
    """Only the row: the scheduler is not told. A defect of the real thing."""
    name = 'zato.scheduler.job.set-active-status'
    input = 'id', Bool('is_active')

    def handle(self):
        given = self.request.input
        row = self.one('select * from job where id=?', given.id)
        self.server.odb.execute('update job set is_active=? where id=?', bool(given.is_active), row.id)


class AutoPing(AdminService):
    """What a job of Zato itself runs; there is nothing to ping."""
    name = 'zato.outgoing.sql.auto-ping'

    def handle(self):
        pass


class CleanUp(AutoPing):
    name = 'zato.pubsub.cleanup-service'
