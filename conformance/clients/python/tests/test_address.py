from unittest import TestCase

from fanfare_client.address import next_url, origin_of

HERE = "wss://play.example/v1/connect"


class NextUrl(TestCase):
    def test_keeps_the_url_where_none_is_offered(self) -> None:
        self.assertEqual(next_url(HERE, "", []), HERE)

    def test_follows_to_the_same_scheme_host_and_port(self) -> None:
        for url in ["wss://play.example/other", "wss://PLAY.example:443/v1/connect?node=2"]:
            self.assertEqual(next_url(HERE, url, []), url)

    def test_does_not_follow_elsewhere(self) -> None:
        for url in ["wss://evil.example/v1/connect", "wss://play.example:444/", "https://play.example/", "nonsense"]:
            self.assertEqual(next_url(HERE, url, []), HERE)

    def test_follows_to_an_origin_that_the_user_has_allowed(self) -> None:
        there = "wss://node-2.example:8443/v1/connect"
        self.assertEqual(next_url(HERE, there, ["wss://node-2.example:8443"]), there)

    def test_never_gives_up_encryption(self) -> None:
        self.assertEqual(next_url(HERE, "ws://play.example/", ["ws://play.example"]), HERE)


class OriginOf(TestCase):
    def test_refuses_what_is_no_websocket_url(self) -> None:
        for url in ["", "http://play.example", "ws://", "ws://play.example:port"]:
            with self.assertRaises(ValueError):
                origin_of(url)
