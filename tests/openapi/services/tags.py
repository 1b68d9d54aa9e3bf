from zato.server.service import Service


class Tagged(Service):
    """ Does a thing.

    How it does it:
      1. so

    @internal
    Only for us.

    In two lines.

    @confidential
    Nobody reads this.
    """
    name = 'tags.some'


class OnlyInternal(Service):
    """ @internal
    Only for us.
    """
    name = 'tags.internal'


class WithoutName(Service):
    """ One line. """
