"""Cron definitions: five fields, six with a year at the end, seven with seconds at the beginning. UTC.

The day of the month and the weekday must both match: a defect of the real thing, where others take either."""

import calendar
import re
from datetime import datetime, time, timedelta

MONTHS = ('jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec')
WEEKDAYS = ('sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat')

ALIASES = {'@hourly': '0 * * * *', '@daily': '0 0 * * *', '@weekly': '0 0 * * 0', '@monthly': '0 0 1 * *',
           '@yearly': '0 0 1 1 *', '@annually': '0 0 1 1 *'}

# name, lowest and highest value, words for values, the first of which is the lowest value
SECOND = ('second', 0, 59, ())
MINUTES_TO_WEEKDAYS = (('minute', 0, 59, ()), ('hour', 0, 23, ()), ('day', 1, 31, ()), ('month', 1, 12, MONTHS),
                       ('weekday', 0, 7, WEEKDAYS))
YEAR = ('year', 1970, 2099, ())


class Cron:

    def __init__(self, definition):
        fields = ALIASES.get(definition, definition).lower().split()
        if not 5 <= len(fields) <= 7:
            raise ValueError('improper number of cron entries specified; got %d need 5 to 7' % len(fields))
        if len(fields) < 7:
            fields.insert(0, '0')
        if len(fields) < 7:
            fields.append('*')
        specifications = (SECOND,) + MINUTES_TO_WEEKDAYS + (YEAR,)
        (self.seconds, self.minutes, self.hours, self.days, self.months, self.weekdays,
         self.years) = [Field(text, *specification) for text, specification in zip(fields, specifications)]

    def next(self, now):
        """Seconds from now to the next run; None if there is none."""
        day, after = now.date(), now
        while day.year <= YEAR[2]:
            if self.is_day(day):
                moment = self.first_on(day, after)
                if moment:
                    return (moment - now).total_seconds()
            day += timedelta(days=1)
        return None

    def is_day(self, day):
        return (day.year in self.years.values and day.month in self.months.values and self.days.has_day(day)
                and self.weekdays.has_weekday(day))

    def first_on(self, day, after):
        for hour in sorted(self.hours.values):
            if datetime.combine(day, time(hour, 59, 59)) <= after:
                continue
            for minute in sorted(self.minutes.values):
                for second in sorted(self.seconds.values):
                    moment = datetime.combine(day, time(hour, minute, second))
                    if moment > after:
                        return moment
        return None


class Field:
    """The values that one field of a definition names; `is_last` for L, `last_weekdays` for L5 and the like."""

    def __init__(self, text, name, low, high, words):
        self.name, self.low, self.high, self.words = name, low, high, words
        self.values, self.is_last, self.last_weekdays = set(), False, set()
        if text == '?':
            if name not in ('day', 'weekday'):
                raise ValueError("cannot use '?' in the %r field" % name)
            text = '*'
        for item in text.split(','):
            self.add(item, text)

    def add(self, item, text):
        if item == 'l':
            if self.name != 'day':
                raise ValueError("you can only specify a bare 'L' in the 'day' field")
            self.is_last = True
        elif self.name == 'weekday' and re.fullmatch('l[0-7]', item):
            self.last_weekdays.add(int(item[1]) % 7)
        else:
            self.values.update(self.range(item, text))

    def range(self, item, text):
        item, _, step = item.partition('/')
        step = self.step(step) if step else None
        if item == '*':
            return range(self.low, self.high + 1, step or 1)
        first, dash, last = item.partition('-')
        first = self.number(first, text)
        if dash:
            last = self.number(last, text)
            if first > last:
                raise ValueError('%s range start value %d > end value %d' % (self.name, first, last))
        else:
            last = self.high if step else first
        return range(first, last + 1, step or 1)

    def step(self, text):
        step = self.number(text, text, is_value=False)
        if step <= 0:
            raise ValueError('you can only use positive increment values, you provided %d' % step)
        if step > self.high:
            raise ValueError('increment value must be less than %d, you provided %d' % (self.high, step))
        return step

    def number(self, item, text, is_value=True):
        if item in self.words:
            return self.low + self.words.index(item)
        if not item.isdigit():
            raise ValueError('invalid range specifier: %r (%r)' % (item, text))
        value = int(item)
        if is_value and not self.low <= value <= self.high:
            raise ValueError('item value %d out of range [%d, %d]' % (value, self.low, self.high))
        return value

    def has_day(self, day):
        return day.day in self.values or self.is_last and is_last_week(day, days=1)

    def has_weekday(self, day):
        number = day.isoweekday() % 7
        return (number in self.values or number == 0 and 7 in self.values
                or number in self.last_weekdays and is_last_week(day, days=7))


def is_last_week(day, days):
    """Whether the day is one of the last ones of its month."""
    return day.day > calendar.monthrange(day.year, day.month)[1] - days
