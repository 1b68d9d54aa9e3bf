"""What servers and the scheduler have in common of jobs: their kinds, their rows and the messages about them."""

INTERVAL, CRON, ONCE = 'interval_based', 'cron_style', 'one_time'

UNITS = ('weeks', 'days', 'hours', 'minutes', 'seconds')

# Actions of messages from servers.
CREATE, EDIT, DELETE, EXECUTE = '100002', '100003', '100004', '100005'

JOB_SQL = """select j.*, s.name as service_name, i.id as interval_id, i.weeks, i.days, i.hours, i.minutes, i.seconds, i.repeats,
    c.id as cron_id, c.cron_definition from job j join service s on s.id = j.service_id
    left join job_interval_based i on i.job_id = j.id left join job_cron_style c on c.job_id = j.id where j.cluster_id=?"""

# The jobs that the scheduler makes unless they are there: name, service, minutes.
OF_ZATO = (('zato.outgoing.sql.auto-ping', 'zato.outgoing.sql.auto-ping', 3),
           ('zato.pubsub.cleanup', 'zato.pubsub.cleanup-service', 60))

# How dates are stored.
DATE_FORMAT = '%Y-%m-%d %H:%M:%S.%f'


def delete(connection, job_id):
    """The row and what belongs to it."""
    for sql in ('job_interval_based where job_id=?', 'job_cron_style where job_id=?', 'job where id=?'):
        connection.execute('delete from ' + sql, (job_id,))
