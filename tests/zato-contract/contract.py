#!/usr/bin/env python3
"""Black-box contract suite for a Zato 3.2 installation. See README.md."""

import argparse
import os
import shutil
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from zc import lib  # noqa: E402
from zc import cases_create, cases_cluster, cases_single, cases_sso, cases_channels  # noqa: E402,F401
from zc import cases_cache, cases_peers, cases_soap, cases_web_sockets, cases_jobs, cases_mysql  # noqa: E402,F401


def held_ids(path, cases):
    ids = {line.strip() for line in lib.read(path).splitlines() if line.strip() and not line.startswith('#')}
    unknown = ids - {c.id for c in cases}
    if unknown:
        raise SystemExit('%s names no case: %s' % (path, ', '.join(sorted(unknown))))
    return ids


def print_groups(held):
    """Which cases are held now and which come later, a line for each group."""
    groups = {}
    for c in lib.CASES:
        groups.setdefault(c.group, ([], []))[0 if c.id in held else 1].append(c.id.split('-')[1])
    for group, (now, later) in groups.items():
        parts = ['%s: %s' % (word, ' '.join(ids)) for word, ids in (('held', now), ('later', later)) if ids]
        print('%-8s %s' % (group, '; '.join(parts)))
    print('%d of %d cases are held' % (len(held), len(lib.CASES)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('-k', metavar='TEXT', help='only cases whose id starts with TEXT, or whose title has TEXT if that is lower case (comma: any of them)')
    parser.add_argument('--list', action='store_true', help='list the cases and end')
    parser.add_argument('--held', metavar='FILE', help='only the cases that FILE lists, one id a line; a skipped one counts as a failure')
    parser.add_argument('--slow', action='store_true', help='also run the cases marked slow')
    opts = parser.parse_args()

    cases = lib.CASES
    if len({c.id for c in cases}) != len(cases):
        raise SystemExit('duplicate case id')
    if opts.k:
        words = [w.strip() for w in opts.k.split(',') if w.strip()]
        cases = [c for c in cases if any(c.id.startswith(w) or (w.islower() and w in c.title.lower()) for w in words)]
    if opts.held:
        held = held_ids(opts.held, lib.CASES)
        cases = [c for c in cases if c.id in held]
        print_groups(held)
    if opts.list:
        for c in cases:
            print('%s%s%s: %s' % (c.id, ' [quirk]' if c.quirk else '', ' [slow]' if c.slow else '', c.title))
        print('%d cases' % len(cases))
        return 0

    signal.signal(signal.SIGTERM, signal.default_int_handler)      # clean up then, too
    ctx = lib.Ctx()
    os.environ.setdefault('PYTHONDONTWRITEBYTECODE', '1')
    if not shutil.which(ctx.zato):
        raise SystemExit('ZATO_BIN does not point to a command: %s' % ctx.zato)
    if not ctx.python:
        raise SystemExit('set ZATO_PYTHON to the interpreter that can run -m zato.server.main')
    ctx.zato = os.path.abspath(shutil.which(ctx.zato))

    counts = {'PASS': 0, 'FAIL': 0, 'SKIP': 0}
    began = time.time()
    try:
        # The fixtures that the first cases don't wait for may be built meanwhile.
        wanted = []
        for c in cases:
            if not c.slow or opts.slow:
                wanted += [n for n in c.needs if n not in wanted]
        for name in wanted:
            if name in ('made', 'single', 'mysql'):
                ctx.begin(name)
        for c in cases:
            start, note = time.time(), ''
            try:
                if c.slow and not opts.slow:
                    raise lib.Skip('slow; run with --slow')
                note = c.func(ctx, *[ctx.need(n) for n in c.needs]) or ''
                verdict = 'PASS'
            except lib.Skip as exc:
                verdict, note = 'SKIP', str(exc)
            except (lib.Failed, AssertionError) as exc:
                verdict, note = 'FAIL', str(exc)
            except Exception as exc:
                last = traceback.extract_tb(exc.__traceback__)[-1]
                verdict, note = 'FAIL', '%r at %s:%s' % (exc, os.path.basename(last.filename), last.lineno)
            counts[verdict] += 1
            note = ' '.join(str(note).split()).replace(ctx.root, '<tmp>')
            print('%s %s: %s%s (%.1fs)' % (verdict, c.id, c.title, ' -- ' + note if note else '', time.time() - start), flush=True)
    except KeyboardInterrupt:
        print('interrupted')
        return 1
    finally:
        ctx.close()
    print('took %.0fs' % (time.time() - began), file=sys.stderr, flush=True)
    print('%d passed, %d failed, %d skipped' % (counts['PASS'], counts['FAIL'], counts['SKIP']))
    return 1 if counts['FAIL'] or (opts.held and counts['SKIP']) else 0


if __name__ == '__main__':
    sys.exit(main())
