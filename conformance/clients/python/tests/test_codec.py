from unittest import TestCase

from fanfare.v1.frames_pb2 import ClientFrame, ClientFrames
from fanfare.v1.publish_pb2 import Publish

from fanfare_client.codec import BinaryCodec, Codec, JsonCodec, MalformedError


class Binary(TestCase):
    def test_joins_what_stands_one_behind_the_other(self) -> None:
        handed_over = bytes.fromhex("0a026200")
        self.assertEqual(len(BinaryCodec().decode(handed_over + handed_over).frames), 2)

    def test_refuses_text_and_what_is_no_message(self) -> None:
        _refuses(self, BinaryCodec(), "{}", b"\xff", bytes.fromhex("0a046a020aff"))


class Json(TestCase):
    def test_takes_names_and_numbers_in_either_form_and_ignores_what_it_does_not_know(self) -> None:
        text = """{"mood": 1, "frames": [{"goaway": {"reason": "GOAWAY_REASON_FROM_LATER", "deadline_ms": 5}},
            {"message": {"origin": 7, "seq": "3", "sentAtMs": null}}, {"subscription": {"gap": {"reason": 5}}}]}"""
        goaway, message, subscription = JsonCodec().decode(text).frames
        self.assertEqual((goaway.goaway.reason, goaway.goaway.deadline_ms), (0, 5))
        self.assertEqual((message.message.origin, message.message.seq), (7, 3))
        self.assertEqual(subscription.subscription.gap.reason, 5)

    def test_writes_the_mapping_of_protobuf(self) -> None:
        text = JsonCodec().encode(ClientFrames(frames=[ClientFrame(id=1, publish=Publish(seq=2**53 - 1, ttl_ms=5))]))
        self.assertEqual(text, '{"frames": [{"id": 1, "publish": {"seq": "9007199254740991", "ttlMs": 5}}]}')

    def test_refuses_bytes_and_what_is_no_message(self) -> None:
        _refuses(self, JsonCodec(), b"{}", "", "[]", '{"frames": 1}')


def _refuses(test: TestCase, codec: Codec, *messages: bytes | str) -> None:
    for message in messages:
        with test.subTest(message), test.assertRaises(MalformedError):
            codec.decode(message)
