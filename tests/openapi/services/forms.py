from zato.server.service import Int, Service

COMMON = 'customer_id', '-page_size'


class Names(Service):
    name = 'forms.names'
    input = 'a', '-b', '-c-d', 'e-f', 'id', 'ID', 'pid', 'count', 'row_count', 'is_id', 'this_is_x', 'token', '-has_y'
    output = ['x', '-y_timeout']


class One(Service):
    name = 'forms.one'
    input = 'customer_id'
    output = '-name'


class Sum(Service):
    name = 'forms.sum'

    class SimpleIO:
        input = COMMON + ('*note',) + tuple(['-sort'])
        output_optional = [*COMMON, Int('total')]
        output_repeated = True


class Dashes(Service):
    name = 'forms.dashes'

    class SimpleIO:
        input_required = '-a', 'b', '-is_x'
        input_optional = 'b', 'c', Int('-d'), Int('e')
        response_elem = None


class Base(Service):
    """ Lists orders.
    """
    name = 'forms.base'

    class SimpleIO:
        """ Input:
        * order_id - Which one
          to list.

          All of its rows.
        Output:
        * order_id - The one
        * rows: - Its rows
        """
        input_optional = 'order_id', 'b'
        output_optional = 'order_id', 'rows'


class Child(Base):
    name = 'forms.child'

    class SimpleIO(Base.SimpleIO):
        input_required = 'order_id'
        response_elem = 'orders'


class Empty(Service):
    name = 'forms.empty'
