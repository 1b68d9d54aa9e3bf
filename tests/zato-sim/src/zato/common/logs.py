"""Log lines: to stdout with ANSI colours, and to a file of the component without them."""

import logging
import os
import sys

COLOURS = {'WARNING': 33, 'ERROR': 31, 'CRITICAL': 33, 'INFO': 37, 'DEBUG': 34}


class Format(logging.Formatter):
    """The line number is always 0, as it is in Zato's own log."""

    def __init__(self, coloured=False):
        super().__init__()
        self.coloured = coloured

    def format(self, record):
        level = record.levelname
        if self.coloured:
            level = '\x1b[1;%dm%s\x1b[0m' % (COLOURS[level], level)
        message = record.getMessage()
        if record.exc_info:
            message += '\n' + self.formatException(record.exc_info)
        return '%s - %s - %d:%s - %s:0 - %s' % (
            self.formatTime(record), level, os.getpid(), record.threadName, record.name, message)


def set_up(directory, file_name):
    """Sends everything to stdout and to DIRECTORY/logs/FILE_NAME."""
    to_stdout = logging.StreamHandler(sys.stdout)
    to_stdout.setFormatter(Format(coloured=True))
    to_file = logging.FileHandler(os.path.join(directory, 'logs', file_name))
    to_file.setFormatter(Format())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers = [to_stdout, to_file]
