"""The jobs of the scheduler, and when they run.

All of it happens one thing after another: while the first run of one job is looked for, nothing runs and nothing is
answered. That is a defect of the real thing, which steps through all the runs that there were since the start date."""

import heapq
import itertools
import logging
import math
import threading
import time
from datetime import datetime, timedelta, timezone

from zato.common import jobs
from zato.common.cron import Cron

# Steps in a second that the real one was seen to make.
STEPS_PER_SECOND = 430_000

# Seconds until a job runs that should have run once before.
LATE = 10

SECONDS = {'weeks': 604800, 'days': 86400, 'hours': 3600, 'minutes': 60, 'seconds': 1}

logger = logging.getLogger('zato.scheduler.backend')


def now():
    return datetime.now(timezone.utc).replace(tzinfo=None)


class Job:
    """`start`: when it runs first; None if it does not run."""

    def __init__(self, message):
        self.id, self.name, self.kind = message.id, message.name, message.job_type
        self.service, self.extra, self.is_active = message.service, message.extra, message.is_active
        self.interval = sum(int(message.get(unit) or 0) * seconds for unit, seconds in SECONDS.items())
        self.repeats = int(message.get('repeats') or 0) if self.kind == jobs.INTERVAL else 0
        self.cron = Cron(message.cron_definition) if self.kind == jobs.CRON else None
        self.runs = 0
        if self.cron:
            self.start = now() + timedelta(seconds=self.cron.next(now()))
        else:
            self.start = self.first(datetime.fromisoformat(message.start_date))

    def first(self, date):
        """A date that is past: the next one of its multiples, if there are so many repeats."""
        moment = now()
        if date > moment:
            return date
        if self.kind == jobs.ONCE:
            return moment + timedelta(seconds=LATE)
        if self.interval <= 0:
            self.step(math.inf)
        steps = (moment - date) // timedelta(seconds=self.interval) + 1
        self.step(min(steps, self.repeats or steps))
        if self.repeats and steps > self.repeats:
            logger.info('Cannot compute start_time. Job `%s` max repeats reached', self.name)
            return None
        return date + steps * timedelta(seconds=self.interval)

    @staticmethod
    def step(count):
        while count > 0:
            time.sleep(min(count, STEPS_PER_SECOND) / STEPS_PER_SECOND)
            count -= STEPS_PER_SECOND

    def pause(self):
        """Seconds from one run to the next."""
        return self.cron.next(now()) if self.cron else self.interval


class Timer:
    """Runs of one job to come."""

    def __init__(self, job):
        self.job = job
        self.is_stopped = False


class Scheduler:
    """`jobs` and `timers` by name. A timer whose place another one takes goes on, and nothing stops it any longer: a
    defect of the real thing."""

    def __init__(self, server):
        self.server = server
        self.jobs = {}
        self.timers = {}
        self.due = []
        self.numbers = itertools.count()
        self.turn = threading.RLock()
        self.changed = threading.Condition(self.turn)

    def handle(self, message):
        """A change that a server tells. What fails is only logged. KeyError if it is no change."""
        handler = {jobs.CREATE: self.create, jobs.EDIT: self.edit, jobs.DELETE: self.delete,
                   jobs.EXECUTE: self.execute}[message.action]
        with self.turn:
            try:
                handler(message)
            except Exception:
                logger.exception('Caught exception')

    def create(self, message, spawn=True):
        job = Job(message)
        self.jobs[job.name] = job
        if job.is_active and spawn:
            self.spawn(job)

    def edit(self, message):
        job = Job(message)
        self.unschedule(message.get('old_name') or job.name)
        self.jobs[job.name] = job
        if job.is_active:
            self.spawn(job)

    def delete(self, message):
        self.unschedule(message.name)

    def execute(self, message):
        if message.name in self.jobs:
            self.run(self.jobs[message.name])
        else:
            logger.warning('No such job `%s`', message.name)

    def unschedule(self, name):
        self.jobs.pop(name, None)
        timer = self.timers.pop(name, None)
        if timer:
            timer.is_stopped = True

    def spawn(self, job):
        """It looks once a second whether the time has come."""
        if job.start is None:
            return
        timer = self.timers[job.name] = Timer(job)
        self.push(timer, max(0, math.ceil((job.start - now()).total_seconds())))

    def spawn_all(self):
        with self.turn:
            for name in sorted(self.jobs):
                self.spawn(self.jobs[name])

    def push(self, timer, seconds):
        heapq.heappush(self.due, (time.monotonic() + seconds, next(self.numbers), timer))
        self.changed.notify_all()

    def serve(self):
        with self.turn:
            while True:
                wait = self.due[0][0] - time.monotonic() if self.due else None
                if wait is None or wait > 0:
                    self.changed.wait(wait)
                    continue
                timer = heapq.heappop(self.due)[-1]
                if not timer.is_stopped:
                    self.fire(timer)

    def fire(self, timer):
        """The next run is counted from this one, late as it may be."""
        job = timer.job
        job.runs += 1
        self.run(job)
        if job.kind == jobs.ONCE:
            self.unschedule(job.name)
        elif job.runs != job.repeats:
            self.push(timer, job.pause())

    def run(self, job):
        """Whether the one before has ended does not count."""
        self.server.run(job.service, job.extra)
        if job.kind == jobs.ONCE:
            self.server.run('zato.scheduler.job.delete', '{"id": %d}' % job.id)
