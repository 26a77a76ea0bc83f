from unittest import TestCase

from fanfare_client.silence import Sign, Silence
from fanfare_client.token_refresh import wait_before_refresh_s


class SilenceOfThreeSeconds(TestCase):
    def setUp(self) -> None:
        self.silence = Silence(2.0, 1.0, now_s=100.0, wall_s=5000.0)

    def look(self, now_s: float) -> Sign:
        return self.silence.look(now_s, now_s + 4900)

    def test_looks_several_times_in_it(self) -> None:
        self.assertEqual(self.silence.look_every_s, 0.375)

    def test_is_the_end_when_nothing_was_heard(self) -> None:
        signs = [self.look(now_s) for now_s in [101.0, 102.0, 102.9, 103.0]]
        self.assertEqual(signs, [Sign.ALIVE, Sign.ALIVE, Sign.ALIVE, Sign.DEAD])

    def test_begins_anew_with_each_message(self) -> None:
        self.look(101.0)
        self.silence.heard(101.5)
        for now_s in [102.0, 103.0, 104.0]:
            self.look(now_s)
        self.assertEqual(self.look(104.4), Sign.ALIVE)
        self.assertEqual(self.look(104.5), Sign.DEAD)

    def test_is_asked_about_first_when_the_process_was_stopped(self) -> None:
        self.assertEqual(self.look(160.0), Sign.ASK)
        self.assertEqual(self.look(160.9), Sign.ALIVE)
        self.assertEqual(self.look(161.0), Sign.DEAD)

    def test_is_asked_about_when_the_machine_slept_and_its_clock_stood_still(self) -> None:
        self.assertEqual(self.silence.look(100.4, 9000.0), Sign.ASK)


class WaitBeforeRefresh(TestCase):
    def test_leaves_time_to_try_again_before_the_last_moment(self) -> None:
        self.assertEqual(wait_before_refresh_s(100.0), 80.0)
        self.assertEqual(wait_before_refresh_s(3600.0), 3540.0)

    def test_is_none_for_a_token_that_has_expired(self) -> None:
        self.assertEqual(wait_before_refresh_s(-5.0), 0.0)
