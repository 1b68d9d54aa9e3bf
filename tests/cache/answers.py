""" The file that servers load for channels with a cache: what it keeps, for how long, and how much. Zato's part is played by the
stand-in.

    answers.py FOLDER
"""

import sys
import unittest
from pathlib import Path

FOLDER = Path(sys.argv.pop())
sys.path[:0] = [str(Path(__file__).parents[1] / 'zato-sim' / 'src'), str(FOLDER)]

import zato_operator_cache as cache  # noqa: E402


def answer(text='', status=200, **headers):
    return {'payload': text, 'status': status, 'content_type': 'text/plain',
            'headers': {name.replace('_', '-'): value for name, value in headers.items()}}


def kept(answers, key, now):
    return answers.find((None, key), now)[0] is not None


class Told(unittest.TestCase):
    def test_the_table_is_that_of_the_index(self):
        self.assertEqual(cache.TABLE['kubernetes 01 GET /a/{}'], {'service': 'a.one', 'seconds': 30, 'code': 'r'})
        self.assertEqual(cache.KEPT['kubernetes 01 GET /a/{}'].seconds, 30)


class Times(unittest.TestCase):
    def test_an_answer_is_as_old_as_the_call_that_made_it(self):
        answers = cache.Answers(10)
        answers.keep((None, 'a'), 100, answer('x'), 108)
        self.assertEqual(answers.find((None, 'a'), 109.5), (answer('x'), 9.5))
        self.assertEqual(answers.find((None, 'a'), 110), (None, 0))

    def test_one_version_of_a_service_has_no_answers_of_another(self):
        answers = cache.Answers(10)
        answers.keep((int, 'a'), 0, answer('x'), 0)
        self.assertEqual(answers.find((str, 'a'), 1), (None, 0))

    def test_what_is_old_goes_with_the_next_one(self):
        answers = cache.Answers(10)
        for number in range(5):
            answers.keep((None, 'old %d' % number), number, answer('x'), number)
        answers.keep((None, 'new'), 13.5, answer('x'), 13.5)
        self.assertEqual([text for _, text in answers.kept], ['old 4', 'new'])


class Limits(unittest.TestCase):
    def test_the_oldest_go_when_there_are_too_many(self):
        answers = cache.Answers(1000)
        for number in range(cache.MOST_ANSWERS + 5):
            answers.keep((None, str(number)), number / 100, answer('x'), number / 100)
        self.assertEqual(len(answers.kept), cache.MOST_ANSWERS)
        self.assertFalse(kept(answers, '4', 20))
        self.assertTrue(kept(answers, '5', 20))

    def test_the_oldest_go_when_they_are_too_long(self):
        answers = cache.Answers(1000)
        large = 'x' * cache.MOST_OF_ONE
        for number in range(30):
            answers.keep((None, str(number)), number, answer(large), number)
        self.assertLessEqual(answers.characters, cache.MOST_CHARACTERS)
        self.assertEqual(len(answers.kept), 9)
        self.assertTrue(kept(answers, '29', 30))

    def test_the_sum_is_that_of_what_is_kept(self):
        answers = cache.Answers(10)
        for text in ('a' * 100, 'b', 'c' * 10):
            answers.keep((None, 'k'), 0, answer(text, X_Own='1'), 0)
        only = answer('c' * 10, X_Own='1')
        self.assertEqual(answers.characters, cache.length((None, 'k'), only))
        answers.keep((None, 'other'), 20, answer('d'), 20)
        self.assertEqual(answers.characters, cache.length((None, 'other'), answer('d')))


class ForOthers(unittest.TestCase):
    def test_what_is_kept(self):
        for given in (answer('x'), answer(''), answer('x', Cache_Control='max-age=5'), answer('x', X_Own='private')):
            self.assertTrue(cache.is_for_others(given), given)
        for given in (answer('x', status=404), answer('x', status=201), answer('x' * (cache.MOST_OF_ONE + 1)),
                      answer('x', SET_COOKIE='a=b'), answer('x', Cache_Control='Max-Age=5, NO-STORE'), answer('x', cache_control='private')):
            self.assertFalse(cache.is_for_others(given), str(given)[:200])


if __name__ == '__main__':
    unittest.main()
