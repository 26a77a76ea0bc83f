from unittest import TestCase

from fanfare.v1.message_pb2 import Payload
from fanfare.v1.presence_pb2 import (
    LEAVE_REASON_KICKED,
    PresenceCounts,
    PresenceDiff,
    PresenceEvent,
    PresenceLeave,
    PresenceMember,
    PresenceSnapshot,
)

from fanfare_client.roster import MAX_EARLY_DIFFS, Change, Counted, Joined, Left, Roster, Updated


def member(origin: int, generation: int = 1, text: str = "") -> PresenceMember:
    return PresenceMember(origin=origin, generation=generation, player_id=f"p{origin}", data=Payload(text=text))


def leave(origin: int, generation: int = 1) -> PresenceLeave:
    return PresenceLeave(origin=origin, generation=generation, player_id=f"p{origin}", reason=LEAVE_REASON_KICKED)


def snapshot(
    section: int, number: int, *members: PresenceMember, first: bool = True, last: bool = True
) -> PresenceEvent:
    page = PresenceSnapshot(section=section, number=number, members=members, first=first, last=last)
    return PresenceEvent(snapshot=page)


def diff(
    section: int,
    number: int,
    joined: tuple[PresenceMember, ...] = (),
    updated: tuple[PresenceMember, ...] = (),
    left: tuple[PresenceLeave, ...] = (),
) -> PresenceEvent:
    return PresenceEvent(diff=PresenceDiff(section=section, number=number, joined=joined, updated=updated, left=left))


def counts(sessions: int) -> PresenceEvent:
    return PresenceEvent(counts=PresenceCounts(sessions=sessions, players=1))


def words(change: Change) -> str:
    match change:
        case Joined(one):
            return f"+{one.origin}"
        case Updated(one):
            return f"={one.origin} {one.data.text}"
        case Left(one):
            return f"-{one.origin}" + (" kicked" if one.reason == LEAVE_REASON_KICKED else "")
        case Counted(numbers):
            return f"#{numbers.sessions}"


class RosterOfAChannel(TestCase):
    def setUp(self) -> None:
        self.roster = Roster()

    def take(self, *events: PresenceEvent) -> list[str]:
        return [words(change) for event in events for change in self.roster.take(event)]

    def shown(self) -> list[int]:
        return [one.origin for one in self.roster.present().members]

    def test_follows_a_snapshot_and_its_diffs(self) -> None:
        self.assertEqual(self.take(snapshot(1, 7, member(1), member(2))), ["+1", "+2"])
        told = self.take(diff(1, 8, joined=(member(3),), updated=(member(1, text="x"),), left=(leave(2),)))
        self.assertEqual(told, ["+3", "=1 x", "-2 kicked"])
        self.assertTrue(self.roster.present().is_current)

    def test_adds_pages_and_applies_what_came_between_them(self) -> None:
        told = self.take(
            snapshot(1, 7, member(1), last=False),
            diff(1, 7, joined=(member(9),)),
            diff(1, 8, left=(leave(2),)),
            snapshot(1, 7, member(2), first=False),
        )
        self.assertEqual((told, self.shown()), (["+1", "+2", "-2 kicked"], [1]))

    def test_ignores_pages_of_which_the_first_is_missing(self) -> None:
        self.assertEqual(self.take(snapshot(1, 7, member(1), first=False)), [])

    def test_drops_old_diffs_and_goes_out_of_date_at_a_hole(self) -> None:
        self.take(snapshot(1, 7, member(1)), diff(1, 7, left=(leave(1),)))
        self.assertEqual((self.shown(), self.roster.is_out_of_date), ([1], False))
        self.assertEqual(self.take(diff(1, 9, joined=(member(9),)), diff(1, 8, left=(leave(1),))), [])
        self.assertEqual((self.shown(), self.roster.is_out_of_date), ([1], True))
        self.assertFalse(self.roster.present().is_current)
        self.assertEqual(self.take(snapshot(1, 9, member(9))), ["-1", "+9"])
        self.assertFalse(self.roster.is_out_of_date)

    def test_goes_out_of_date_when_more_early_diffs_came_than_it_keeps(self) -> None:
        self.take(*(diff(1, 8 + n) for n in range(MAX_EARLY_DIFFS + 1)), snapshot(1, 7))
        self.assertTrue(self.roster.is_out_of_date)

    def test_shows_the_highest_generation_of_several(self) -> None:
        self.take(snapshot(1, 1, member(1, 1, "old")), snapshot(2, 1, member(1, 2, "new")))
        self.assertEqual(self.take(diff(1, 2, updated=(member(1, 1, "stale"),))), [])
        self.assertEqual(self.take(diff(1, 3, left=(leave(1, 1),))), [])
        self.assertEqual(self.take(diff(2, 2, left=(leave(1, 2),))), ["-1 kicked"])

    def test_shows_no_older_entry_of_who_has_left(self) -> None:
        self.take(snapshot(1, 1, member(1, 1)), snapshot(2, 1, member(1, 2)))
        self.assertEqual(self.take(diff(2, 2, left=(leave(1, 2),))), ["-1 kicked"])

    def test_has_no_list_after_counts_until_the_next_snapshot(self) -> None:
        self.take(snapshot(1, 7, member(1)))
        self.assertEqual(self.take(counts(5000), diff(1, 8, joined=(member(8),))), ["#5000"])
        present = self.roster.present()
        self.assertEqual((present.members, present.sessions, present.has_list), ([], 5000, False))
        self.assertEqual(self.take(snapshot(1, 20, member(1), member(2))), ["+1", "+2"])
        self.assertTrue(self.roster.present().has_list)

    def test_shows_the_former_list_until_the_first_snapshot_of_the_new(self) -> None:
        self.take(snapshot(1, 7, member(1), member(2)), snapshot(2, 4, member(3)))
        self.roster.forget()
        self.assertEqual((self.shown(), self.roster.present().is_current), ([1, 2, 3], False))
        self.assertEqual(self.take(snapshot(9, 1, member(2), member(4))), ["-1", "-3", "+4"])
        self.assertEqual((self.shown(), self.roster.present().is_current), ([2, 4], True))
