from unittest import TestCase
from unittest.mock import patch

from fanfare.v1 import channel_pb2, error_pb2, subscription_pb2
from fanfare.v1.channel_pb2 import Position
from fanfare.v1.error_pb2 import Error, ErrorCode
from fanfare.v1.message_pb2 import LogEntry, Message, Payload, Skip
from fanfare.v1.session_pb2 import Welcome
from fanfare.v1.subscription_pb2 import (
    CaughtUp,
    Gap,
    Subscribe,
    Subscribed,
    SubscriptionClosed,
    SubscriptionEvent,
    SubscriptionResult,
)

from fanfare_client import Channel, FanfareError
from fanfare_client.subscriptions import Subscription, Subscriptions
from tests.recording import Recorder

LOG = Channel.group("guild:9")
LIVE = Channel.group("chat:lobby")


def at(offset: int, epoch: int = 7) -> Position:
    return Position(epoch=epoch, offset=offset, tag=offset * 10)


def durable(offset: int, gap: Gap | None = None) -> Subscribed:
    return Subscribed(delivery_class=channel_pb2.DELIVERY_CLASS_DURABLE, position=at(offset), gap=gap)


def live(gap: Gap | None = None) -> Subscribed:
    return Subscribed(delivery_class=channel_pb2.DELIVERY_CLASS_LIVE, gap=gap)


def entry(offset: int, *, seq: int | None = None, previous: int | None = None) -> Message:
    previous = (offset - 1) * 10 if previous is None else previous
    log = LogEntry(offset=offset, tag=offset * 10, previous_tag=previous)
    payload = Payload(text=f"m{offset}")
    return Message(channel=LOG.to_wire(), origin=5, seq=seq or offset, payload=payload, log=log)


def skip(first: int, last: int, previous: int | None = None) -> Skip:
    previous = (first - 1) * 10 if previous is None else previous
    return Skip(channel=LOG.to_wire(), from_offset=first, to_offset=last, tag=last * 10, previous_tag=previous)


def result(channel: Channel, subscribed: Subscribed | None = None, code: ErrorCode | None = None) -> SubscriptionResult:
    error = None if code is None else Error(code=code)
    return SubscriptionResult(channel=channel.to_wire(), subscribed=subscribed, error=error)


class Session(TestCase):
    def setUp(self) -> None:
        self.recorder = Recorder()
        self.asked_again: list[tuple[Channel, float]] = []
        self.subscriptions = Subscriptions(self.recorder, self._note)

    def _note(self, one: Subscription, delay_s: float) -> None:
        self.asked_again.append((one.channel, delay_s))

    def told(self) -> list[str]:
        return self.recorder.take()

    def reached(self) -> Position | None:
        one = self.subscriptions.get(LOG)
        return one.position if one is not None else None

    def take(self, *frames: Message | Skip) -> None:
        for frame in frames:
            if isinstance(frame, Message):
                self.subscriptions.take_message(frame)
            else:
                self.subscriptions.take_skip(frame)


class Durable(Session):
    def setUp(self) -> None:
        super().setUp()
        self.subscriptions.want(LOG, Subscribe(channel=LOG.to_wire()))
        self.subscriptions.subscribed(LOG, durable(41))

    def test_takes_what_follows_and_drops_what_does_not(self) -> None:
        self.take(entry(42), skip(43, 45), entry(41), skip(40, 44), entry(46), skip(47, 47))
        self.assertEqual(self.told(), ["m42 at 42", "m46 at 46"])
        self.assertEqual(self.reached(), at(47))

    def test_takes_a_skip_that_reaches_over_its_position(self) -> None:
        self.take(skip(40, 43, previous=1))
        self.assertEqual(self.reached(), at(43))

    def test_asks_again_after_a_hole_or_a_fork_and_takes_nothing_until_the_answer(self) -> None:
        wrongs: list[Message | Skip] = [entry(43), entry(42, previous=1), skip(43, 44), skip(42, 42, previous=1)]
        for wrong in wrongs:
            with self.subTest(wrong):
                self.take(wrong, entry(42))
                self.assertEqual((self.told(), self.reached(), self.asked_again), ([], at(41), [(LOG, 0.0)]))
                self.subscriptions.subscribed(LOG, durable(41))
                self.asked_again.clear()
        self.take(entry(42))
        self.assertEqual(self.told(), ["m42 at 42"])

    def test_goes_on_where_a_gap_says_so(self) -> None:
        gap = Gap(reason=subscription_pb2.GAP_REASON_EPOCH, to=at(2, epoch=8))
        self.subscriptions.take_event(SubscriptionEvent(channel=LOG.to_wire(), gap=gap))
        self.take(entry(3, seq=100))
        self.assertEqual((self.told(), self.reached()), (["gap EPOCH guild:9", "m3 at 3"], at(3, epoch=8)))

    def test_drops_what_a_fork_brings_a_second_time_and_goes_on_after_it(self) -> None:
        self.take(entry(42))
        gap = Gap(reason=subscription_pb2.GAP_REASON_FORKED, to=at(41))
        self.subscriptions.take_event(SubscriptionEvent(channel=LOG.to_wire(), gap=gap))
        self.take(entry(42), entry(43))
        self.assertEqual(self.told(), ["m42 at 42", "gap FORKED guild:9", "m43 at 43"])

    def test_reads_again_what_the_application_has_asked_for_again(self) -> None:
        self.take(entry(42))
        one = self.subscriptions.want(LOG, Subscribe(channel=LOG.to_wire(), rewind=2))
        one.waiters.append(lambda _: None)
        self.take(entry(43))
        self.subscriptions.subscribed(LOG, durable(41))
        self.take(entry(42), entry(43))
        self.assertEqual(self.told(), ["m42 at 42", "m43 at 43", "m42 at 42", "m43 at 43"])

    def test_is_named_in_each_hello_with_its_position(self) -> None:
        self.take(entry(42))
        self.assertEqual(self.subscriptions.for_hello(), [Subscribe(channel=LOG.to_wire(), after=at(42))])

    def test_is_named_with_its_start_until_that_is_answered(self) -> None:
        one = self.subscriptions.want(LOG, Subscribe(channel=LOG.to_wire(), rewind=2))
        one.waiters.append(lambda _: None)
        self.assertEqual(self.subscriptions.for_hello(), [Subscribe(channel=LOG.to_wire(), rewind=2)])

    def test_keeps_what_the_former_connection_brought_during_a_move(self) -> None:
        self.take(entry(42))
        welcome = Welcome(subscriptions=[result(LOG, durable(41))], resumed=True)
        self.subscriptions.welcomed(welcome, is_first=False, has_moved=True)
        self.take(entry(42), entry(43))
        self.assertEqual((self.told(), self.reached()), (["m42 at 42", "m43 at 43"], at(43)))

    def test_tells_the_end_of_a_replay(self) -> None:
        self.subscriptions.take_event(SubscriptionEvent(channel=LOG.to_wire(), caught_up=CaughtUp(position=at(41))))
        self.assertEqual(self.told(), ["caught up at 41"])


class Welcomed(Session):
    def test_takes_the_list_for_the_whole_truth(self) -> None:
        member = Channel.group("guild:new")
        self.welcome(result(LIVE, live()), result(Channel.broadcast(), live()), is_first=True)
        self.assertEqual(self.told(), [])
        self.welcome(result(Channel.broadcast(), live()), result(member, live()))
        self.assertEqual(self.told(), ["opened guild:new", "closed UNSPECIFIED chat:lobby"])
        self.take(Message(channel=LIVE.to_wire(), origin=5, seq=1, payload=Payload(text="stray")))
        self.assertEqual(self.told(), [])

    def test_tells_each_gap(self) -> None:
        self.welcome(result(LIVE, live(Gap(reason=subscription_pb2.GAP_REASON_DETACHED))), is_first=True)
        self.assertEqual(self.told(), ["gap DETACHED chat:lobby"])

    def test_asks_again_for_what_the_application_wants_and_no_hello_named(self) -> None:
        self.subscriptions.want(LIVE, Subscribe(channel=LIVE.to_wire()))
        self.welcome()
        self.assertEqual((self.asked_again, self.told()), ([(LIVE, 0.0)], []))

    def test_asks_again_after_what_is_retryable(self) -> None:
        self.subscriptions.want(LIVE, Subscribe(channel=LIVE.to_wire()))
        self.welcome(result(LIVE, code=error_pb2.ERROR_CODE_UNAVAILABLE))
        self.assertEqual((self.asked_again, self.told()), ([(LIVE, 0.2)], []))

    def test_ends_what_is_refused(self) -> None:
        self.subscriptions.want(LIVE, Subscribe(channel=LIVE.to_wire()))
        self.welcome(result(LIVE, code=error_pb2.ERROR_CODE_PERMISSION_DENIED))
        self.assertEqual((self.asked_again, self.told()), ([], ["closed PERMISSION chat:lobby"]))
        self.assertEqual(self.subscriptions.for_hello(), [])

    def test_answers_whoever_waits(self) -> None:
        answers: list[Subscribed | FanfareError] = []
        for channel in [LIVE, LOG]:
            self.subscriptions.want(channel, Subscribe(channel=channel.to_wire())).waiters.append(answers.append)
        self.welcome(result(LIVE, live()), result(LOG, code=error_pb2.ERROR_CODE_PERMISSION_DENIED))
        subscribed, error = answers
        self.assertEqual(subscribed, live())
        self.assertIsInstance(error, FanfareError)
        self.assertEqual(self.told(), [])

    def test_names_no_more_than_a_hello_may_hold(self) -> None:
        for number in range(300):
            channel = Channel.group(f"chat:{number}")
            self.subscriptions.want(channel, Subscribe(channel=channel.to_wire()))
        self.assertEqual(len(self.subscriptions.for_hello()), 256)
        for number in range(300):
            channel = Channel.group(f"chat:{number}:{'x' * 240}")
            self.subscriptions.want(channel, Subscribe(channel=channel.to_wire()))
        size = sum(one.ByteSize() for one in self.subscriptions.for_hello())
        self.assertLess(size, 48 * 1024)

    def welcome(self, *results: SubscriptionResult, is_first: bool = False) -> None:
        self.subscriptions.welcomed(Welcome(subscriptions=results), is_first=is_first, has_moved=False)


class Events(Session):
    def test_open_and_close(self) -> None:
        self.subscriptions.take_event(SubscriptionEvent(channel=LIVE.to_wire(), opened=live()))
        reason = subscription_pb2.SUBSCRIPTION_CLOSE_REASON_LEFT
        self.subscriptions.take_event(
            SubscriptionEvent(channel=LIVE.to_wire(), closed=SubscriptionClosed(reason=reason))
        )
        self.assertEqual(self.told(), ["opened chat:lobby", "closed LEFT chat:lobby"])
        self.assertIsNone(self.subscriptions.get(LIVE))

    def test_a_listener_that_fails_disturbs_nothing(self) -> None:
        failing = patch.object(self.recorder, "on_opened", side_effect=ValueError("mine"), __qualname__="on_opened")
        with failing, self.assertLogs("fanfare"):
            self.subscriptions.take_event(SubscriptionEvent(channel=LIVE.to_wire(), opened=live()))
        one = self.subscriptions.get(LIVE)
        self.assertTrue(one is not None and one.is_open)
