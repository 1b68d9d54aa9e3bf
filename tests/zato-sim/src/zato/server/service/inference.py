"""What an element of SimpleIO is by its name alone: simple-io.conf says it, and startup callables may add to that."""

from zato.common import config
from zato.common.bunch import Bunch


class Names:
    """The names of one type."""

    def __init__(self, section):
        self.exact, self.prefixes, self.suffixes = [
            set(config.split_list(section.get(key, ''))) for key in ('exact', 'prefix', 'suffix')]

    def __contains__(self, name):
        return name in self.exact or name.startswith(tuple(self.prefixes)) or name.endswith(tuple(self.suffixes))


class Inference:
    """A name that is of several types is of the first one. A secret is a text here."""

    def load(self, sections):
        self.bool_config, self.int_config, self.secret_config = [
            Names(sections.get(name, Bunch())) for name in ('bool', 'int', 'secret')]


# Of the whole process, as services have no other way to it than this.
by_name = Inference()
