"""Restores by zato-operator, proven by logins: nothing but the commands of a person and the REST services of Zato.

    check.py PROGRAM        # ZATO_BIN, ZATO_PYTHON: an installation of Zato, or of its stand-in

Users and environments come from the contract suite. Ends with the sum, as cargo does."""

import gzip
import json
import os
import subprocess
import sys
import traceback
from urllib.parse import urlsplit

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../../tests/zato-contract'))

from zc import cases_single, cases_sso, lib  # noqa: E402
from zc.cases_sso import IN, KEPT_OUT, login_of, refused, told  # noqa: E402

# The exit code for a key that opens nothing.
WRONG_KEY = 50


# Where dev/databases.sh has its databases.
POSTGRESQL, MYSQL = 'ZATO_SSO_TEST_POSTGRESQL', 'ZATO_SSO_TEST_MYSQL'

# The one that is made there.
DATABASE = 'logins'


def real_rows(kind, name):
    return os.path.join(os.path.dirname(cases_sso.real_rows()), 'sso-' + kind, name)


def load(admin, client, kind):
    """Makes a database and fills it with what a real Zato had there."""
    charset = ' character set utf8mb4' if kind == 'mysql' else ''
    for command, text in ((admin, b'create database %s%s' % (DATABASE.encode(), charset.encode())),
                          (client, gzip.open(real_rows(kind, 'odb.sql.gz')).read())):
        subprocess.run(command, input=text, stdout=subprocess.DEVNULL, check=True, timeout=120)


class Story:

    def __init__(self, ctx, program):
        self.ctx = ctx
        self.program = program

    def sso(self, *arguments):
        """Exit code and what was told."""
        done = subprocess.run([self.program, 'sso', *arguments], cwd=self.ctx.root, env=self.ctx.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        return done.returncode, done.stdout.decode()

    def must(self, *arguments):
        code, out = self.sso(*arguments)
        lib.same(code, 0, 'sso %s: %s' % (arguments[0], lib.tail(out)))

    def environment(self, name, archive=None):
        """A new one, with the key1 that the archive has."""
        key = None
        if archive:
            self.must('inspect', archive, '--write-secrets-conf', name + '.conf')
            key = lib.ini(os.path.join(self.ctx.root, name + '.conf'))['secret_keys']['key1']
        return cases_single.quickstart(self.ctx, name, key)

    def start(self, environment, name):
        """Returns its port."""
        port = lib.free_port()
        self.ctx.ready(self.ctx.start_server(environment.server, port, name), port)
        return port

    def all_log_in(self, port, users):
        """Who could log in does; the others are told what they were told."""
        for user in users:
            lib.same(told(login_of(port, user)), IN if user['can_log_in'] else refused(KEPT_OUT[user['flag']]), user['username'])

    # -- what is shown

    def before_the_first_start(self):
        kinds = self.ctx.need('kinds')
        self.must('dump', kinds.q.server, '--to', 'kinds', '--seal', 'none')
        environment = self.environment('early', 'kinds')
        self.must('restore', 'kinds', environment.server)
        port = self.start(environment, 'early')
        self.all_log_in(port, self.users())
        # With the same key the tokens of open sessions are good as well.
        me = lib.http(port, 'GET', '/zato/sso/user', {'ust': kinds.ust, 'current_app': 'CRM'})
        lib.same(json.loads(me.text).get('username'), 'chief', 'a session that was open')

    def into_a_server_that_runs(self):
        environment = self.environment('late', 'kinds')
        port = self.start(environment, 'late')
        kinds = self.ctx.need('kinds')
        lib.same(told(login_of(port, kinds.users['plain'])), refused('E005001'), 'nobody is there yet')
        self.must('restore', 'kinds', environment.server, '--without-sessions')
        me = lib.http(port, 'GET', '/zato/sso/user', {'ust': kinds.ust, 'current_app': 'CRM'})
        lib.same(told(me), refused('E007001'), 'a session that was left behind')
        self.all_log_in(port, self.users())

    def under_another_key(self):
        environment = self.environment('other')
        code, out = self.sso('restore', 'kinds', environment.server)
        lib.same(code, WRONG_KEY, 'restore: ' + lib.tail(out))
        self.must('restore', 'kinds', environment.server, '--other-key')
        port = self.start(environment, 'other')
        lib.same(login_of(port, self.ctx.need('kinds').users['plain']).status, 500, 'login')

    def rows_of_a_real_zato_on_sqlite(self):
        # A copy: who reads a database of SQLite may leave files beside it.
        with open(real_rows('sqlite', 'zato.db'), 'rb') as old, open(os.path.join(self.ctx.root, 'real.db'), 'wb') as new:
            new.write(old.read())
        self.real_users_log_in('sqlite', 'real.db')

    def rows_of_a_real_zato_on_postgresql(self):
        place = os.environ[POSTGRESQL] + '/' + DATABASE
        client = ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1']
        load([*client, os.environ[POSTGRESQL] + '/postgres'], client + [place], 'postgresql')
        self.real_users_log_in('postgresql', place)

    def rows_of_a_real_zato_on_mariadb(self):
        url = urlsplit(os.environ[MYSQL])
        client = ['mariadb', '--no-defaults', '-h', url.hostname, '-P', str(url.port), '-u', url.username]
        load(client, client + [DATABASE], 'mysql')
        self.real_users_log_in('mysql', os.environ[MYSQL] + '/' + DATABASE)

    def real_users_log_in(self, kind, place):
        self.must('dump', place, '--secrets-conf', real_rows(kind, 'secrets.conf'), '--to', kind, '--seal', 'none')
        environment = self.environment('from-' + kind, kind)
        self.must('restore', kind, environment.server)
        users = json.loads(lib.read(real_rows(kind, 'users.json')))['users']
        self.all_log_in(self.start(environment, 'from-' + kind), users)

    def shows(self):
        yield self.before_the_first_start
        yield self.into_a_server_that_runs
        yield self.under_another_key
        if not cases_sso.real_rows():
            print('without the rows of a real Zato: no shared/fixtures, no ZATO_SSO_FIXTURES')
            return
        yield self.rows_of_a_real_zato_on_sqlite
        if POSTGRESQL in os.environ and MYSQL in os.environ:
            yield self.rows_of_a_real_zato_on_postgresql
            yield self.rows_of_a_real_zato_on_mariadb
        else:
            print('without PostgreSQL and MariaDB: dev/databases.sh starts them')

    def users(self):
        by_command = [{'username': 'chief', 'password': 'Chief-passw0rd', 'can_log_in': True},
                      {'username': 'regular', 'password': 'Regular-passw0rd', 'can_log_in': True}]
        return by_command + list(self.ctx.need('kinds').users.values())


def main():
    ctx = lib.Ctx()
    story = Story(ctx, os.path.abspath(sys.argv[1]))
    passed = failed = 0
    try:
        for show in story.shows():
            name = 'logins after a restore: ' + show.__name__.replace('_', ' ')
            try:
                show()
                passed += 1
                print(name, '... ok', flush=True)
            except Exception:
                failed += 1
                print(name, '... FAILED', flush=True)
                traceback.print_exc()
    finally:
        ctx.close()
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
