from unittest import TestCase

from fanfare_client import Channel
from fanfare_client.repeats import Repeats

LOBBY = Channel.group("chat:lobby")


class RepeatsSeen(TestCase):
    def test_are_told_by_origin_channel_and_volatile(self) -> None:
        repeats = Repeats()
        self.assertTrue(repeats.is_new(5, LOBBY, volatile=False, seq=2))
        self.assertFalse(repeats.is_new(5, LOBBY, volatile=False, seq=2))
        self.assertFalse(repeats.is_new(5, LOBBY, volatile=False, seq=1))
        self.assertTrue(repeats.is_new(5, LOBBY, volatile=True, seq=1))
        self.assertTrue(repeats.is_new(6, LOBBY, volatile=False, seq=1))
        self.assertTrue(repeats.is_new(5, Channel.broadcast(), volatile=False, seq=1))
        self.assertTrue(repeats.is_new(5, LOBBY, volatile=False, seq=9))

    def test_forgets_what_was_unused_for_longest(self) -> None:
        repeats = Repeats(bound=2)
        for origin in [1, 2]:
            repeats.is_new(origin, LOBBY, volatile=False, seq=1)
        # A repeat counts as a use.
        repeats.is_new(1, LOBBY, volatile=False, seq=1)
        repeats.is_new(3, LOBBY, volatile=False, seq=1)
        self.assertFalse(repeats.is_new(1, LOBBY, volatile=False, seq=1))
        self.assertTrue(repeats.is_new(2, LOBBY, volatile=False, seq=1))

    def test_forgets_a_channel_that_is_read_again(self) -> None:
        repeats = Repeats()
        repeats.is_new(5, LOBBY, volatile=False, seq=2)
        repeats.is_new(5, Channel.broadcast(), volatile=False, seq=2)
        repeats.forget(LOBBY)
        self.assertTrue(repeats.is_new(5, LOBBY, volatile=False, seq=1))
        self.assertFalse(repeats.is_new(5, Channel.broadcast(), volatile=False, seq=1))
