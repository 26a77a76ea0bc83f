"""Who is in a channel (section 14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from fanfare.v1.presence_pb2 import (
    PresenceCounts,
    PresenceDiff,
    PresenceEvent,
    PresenceLeave,
    PresenceMember,
    PresenceSnapshot,
)

# Diffs of a section that wait for its snapshot. Past it the oldest goes: it is the likeliest to be in the snapshot.
MAX_EARLY_DIFFS = 256


@dataclass(frozen=True, slots=True)
class Joined:
    member: PresenceMember


@dataclass(frozen=True, slots=True)
class Updated:
    member: PresenceMember


@dataclass(frozen=True, slots=True)
class Left:
    """The reason is not known where a snapshot names somebody no more."""

    leave: PresenceLeave


@dataclass(frozen=True, slots=True)
class Counted:
    """There is no list, until the next member is told."""

    counts: PresenceCounts


Change = Joined | Updated | Left | Counted


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in a channel, or how many where there is no list."""

    members: list[PresenceMember]
    sessions: int
    players: int
    has_list: bool
    # False while something was missed and the next snapshot has not come.
    is_current: bool


@dataclass(slots=True)
class _Section:
    # Of the last diff or snapshot that was applied.
    number: int = 0
    # A snapshot is complete, and no diff was missed since.
    is_current: bool = False
    members: dict[int, PresenceMember] = field(default_factory=dict)
    # A snapshot of which the last page has not come.
    pages: dict[int, PresenceMember] | None = None
    early: deque[PresenceDiff] = field(default_factory=lambda: deque(maxlen=MAX_EARLY_DIFFS))


class Roster:
    """Puts snapshots and diffs together. The server's namespace bounds how many are in it."""

    def __init__(self) -> None:
        self._sections: dict[int, _Section] = {}
        # What was shown before the sections were forgotten; shown on until the first snapshot (FF-PR-019).
        self._former: dict[int, PresenceMember] = {}
        self._counts: PresenceCounts | None = None

    @property
    def is_out_of_date(self) -> bool:
        """A section waits for a snapshot that is not under way."""
        return any(not one.is_current and one.pages is None for one in self._sections.values())

    def present(self) -> Present:
        if self._counts is not None:
            return Present([], self._counts.sessions, self._counts.players, has_list=False, is_current=True)
        origins = {*self._former, *(origin for one in self._sections.values() for origin in one.members)}
        members = [member for origin in sorted(origins) if (member := self._shown(origin)) is not None]
        players = {member.player_id for member in members}
        is_current = not self._former and all(one.is_current for one in self._sections.values())
        return Present(members, len(members), len(players), has_list=True, is_current=is_current)

    def forget(self) -> None:
        """The channel was subscribed again, and snapshots of every section follow."""
        self._former = {member.origin: member for member in self.present().members}
        self._sections.clear()

    def take(self, event: PresenceEvent) -> list[Change]:
        match event.WhichOneof("event"):
            case "snapshot":
                return self._take_snapshot(event.snapshot)
            case "diff":
                return self._take_diff(event.diff)
            case "counts":
                # FF-PR-018: of what was listed before, nothing is known any more.
                self._sections.clear()
                self._former.clear()
                self._counts = event.counts
                return [Counted(event.counts)]
            case _:
                return []

    def _take_snapshot(self, snapshot: PresenceSnapshot) -> list[Change]:
        section = self._sections.setdefault(snapshot.section, _Section())
        if snapshot.first:
            section.pages = {}
        if section.pages is None:
            return []
        section.pages.update((member.origin, member) for member in snapshot.members)
        if not snapshot.last:
            return []
        before = self._all_shown({*self._former, *section.members, *section.pages})
        self._counts = None
        self._former = {}
        section.members, section.pages = section.pages, None
        section.number, section.is_current = snapshot.number, True
        early, section.early = section.early, deque(maxlen=MAX_EARLY_DIFFS)
        changes = self._changes(before)
        for diff in early:
            changes += self._take_diff(diff)
        return changes

    def _take_diff(self, diff: PresenceDiff) -> list[Change]:
        section = self._sections.setdefault(diff.section, _Section())
        if not section.is_current or section.pages is not None:
            section.early.append(diff)
            return []
        if diff.number <= section.number:
            return []
        if diff.number > section.number + 1:
            section.is_current = False
            return []
        named = [*(one.origin for one in (*diff.joined, *diff.updated)), *(one.origin for one in diff.left)]
        before = self._all_shown(named)
        section.number = diff.number
        for member in (*diff.joined, *diff.updated):
            there = section.members.get(member.origin)
            if there is None or there.generation <= member.generation:
                section.members[member.origin] = member
        for leave in diff.left:
            self._remove(leave)
        return self._changes(before, {leave.origin: leave for leave in diff.left})

    def _remove(self, leave: PresenceLeave) -> None:
        """FF-PR-017. A session that left is in no section that knows only an older generation of it."""
        for section in self._sections.values():
            there = section.members.get(leave.origin)
            if there is not None and there.generation <= leave.generation:
                del section.members[leave.origin]

    def _shown(self, origin: int) -> PresenceMember | None:
        """FF-PR-016."""
        entries = [one.members[origin] for one in self._sections.values() if origin in one.members]
        if origin in self._former:
            entries.append(self._former[origin])
        return max(entries, key=lambda member: member.generation, default=None)

    def _all_shown(self, origins: Iterable[int]) -> dict[int, PresenceMember | None]:
        if self._counts is not None:
            return dict.fromkeys(origins)
        return {origin: self._shown(origin) for origin in origins}

    def _changes(
        self, before: dict[int, PresenceMember | None], leaves: dict[int, PresenceLeave] | None = None
    ) -> list[Change]:
        changes: list[Change] = []
        for origin, was in before.items():
            now = self._shown(origin)
            if was is None and now is not None:
                changes.append(Joined(now))
            elif was is not None and now is None:
                unexplained = PresenceLeave(origin=origin, generation=was.generation, player_id=was.player_id)
                changes.append(Left((leaves or {}).get(origin, unexplained)))
            elif was is not None and now is not None and was.data != now.data:
                changes.append(Updated(now))
        return changes
