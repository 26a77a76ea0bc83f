"""Where `goaway` may send a client (FF-GO-007, FF-SC-007)."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

_PORTS = {"ws": 80, "wss": 443}


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError where there is no WebSocket URL."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    if port is None or not parts.hostname or parts.scheme not in _PORTS:
        raise ValueError(f"{url} is no ws or wss URL")
    return parts.scheme, parts.hostname, port


def next_url(current: str, offered: str, allowed_origins: Collection[str]) -> str:
    """`offered` if it may be followed, `current` otherwise. `allowed_origins` are URLs, of which the origin alone
    counts.
    """
    if not offered:
        return current
    try:
        here, there = origin_of(current), origin_of(offered)
    except ValueError:
        return current
    if here[0] == "wss" and there[0] != "wss":
        return current
    return offered if there in {here, *map(origin_of, allowed_origins)} else current
