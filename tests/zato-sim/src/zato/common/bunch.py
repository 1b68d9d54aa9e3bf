"""A dict whose keys can be read and set as attributes."""


class Bunch(dict):

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self[name] = value


def bunchify(value):
    """`value` with each dict in it, however deep, turned into a Bunch."""
    if isinstance(value, dict):
        return Bunch((key, bunchify(item)) for key, item in value.items())
    if isinstance(value, list):
        return [bunchify(item) for item in value]
    return value
