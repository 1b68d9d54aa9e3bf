from zato.server import service as z
from zato.server.service import AsIs, Bool, CSV, Date, DateTime, Decimal, Dict, DictList, Float, Int, List, Opaque, \
    Text, UTC, UUID


class Elements(z.Service):
    name = 'elements.all'

    class SimpleIO:
        input_required = AsIs('a_id'), Bool('b'), CSV('c'), Date('d'), DateTime('e'), Decimal('f'), \
            Dict('g', 'x', '-y', Int('z'), Dict('-w', 'v')), DictList('h', 'q'), Float('i'), Int('j'), List('k'), \
            Opaque('l'), Text('m'), UTC('n'), UUID('o'), z.Dict('p'), z.DictList('q')
        input_optional = Int('with_default', default=5), Text('-text', default='x')
        output_required = Int('a'), Date('d'), DateTime('e'), UTC('n'), UUID('o'), DictList('h', Int('q'), '-r')
