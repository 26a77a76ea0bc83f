"""Reports what the client tells its application."""

from __future__ import annotations

from fanfare.conformance.v1alpha import adapter_pb2
from fanfare.conformance.v1alpha.adapter_pb2 import ClientReport, History, Roster
from fanfare.v1.subscription_pb2 import Gap, SubscriptionCloseReason

from fanfare_client import (
    Change,
    Channel,
    Counted,
    FanfareError,
    Joined,
    Left,
    Listener,
    Page,
    Position,
    Present,
    Received,
    State,
    Status,
    Updated,
)

from .json_lines import write_report

_STATES = {
    State.CONNECTING: adapter_pb2.CONNECTION_STATE_CONNECTING,
    State.CONNECTED: adapter_pb2.CONNECTION_STATE_CONNECTED,
    State.CLOSED: adapter_pb2.CONNECTION_STATE_CLOSED,
}


class Reporter(Listener):
    """One report for each call, until it is made silent."""

    is_silent = False

    def on_status(self, status: Status) -> None:
        report = adapter_pb2.Status(
            state=_STATES[status.state], close_code=status.close_code or 0, resumed=status.resumed
        )
        self._report(ClientReport(status=report))

    def on_message(self, message: Received) -> None:
        self._report(ClientReport(received=_received(message)))

    def on_gap(self, channel: Channel, gap: Gap) -> None:
        report = adapter_pb2.ToldGap(channel=channel.to_wire(), reason=gap.reason, missed=gap.missed)
        if gap.HasField("from"):
            getattr(report, "from").CopyFrom(getattr(gap, "from"))
        if gap.HasField("to"):
            report.to.CopyFrom(gap.to)
        self._report(ClientReport(gap=report))

    def on_opened(self, channel: Channel) -> None:
        self._report(ClientReport(opened=adapter_pb2.ToldOpened(channel=channel.to_wire())))

    def on_closed(self, channel: Channel, reason: SubscriptionCloseReason, _error: FanfareError | None) -> None:
        self._report(ClientReport(closed=adapter_pb2.ToldClosed(channel=channel.to_wire(), reason=reason)))

    def on_caught_up(self, channel: Channel, position: Position) -> None:
        report = adapter_pb2.ToldCaughtUp(channel=channel.to_wire(), position=position)
        self._report(ClientReport(caught_up=report))

    def on_presence(self, channel: Channel, change: Change) -> None:
        report = adapter_pb2.PresenceChanged(channel=channel.to_wire())
        match change:
            case Joined(member):
                report.joined.CopyFrom(member)
            case Updated(member):
                report.updated.CopyFrom(member)
            case Left(leave):
                report.left.CopyFrom(leave)
            case Counted(counts):
                report.counts.CopyFrom(counts)
        self._report(ClientReport(presence=report))

    def on_dropped(self, count: int) -> None:
        self._report(ClientReport(dropped=adapter_pb2.ToldDropped(count=count)))

    def _report(self, report: ClientReport) -> None:
        if not self.is_silent:
            write_report(report)


def page_report(page: Page) -> History:
    """A page of a log, as the runner reads it."""
    return History(messages=map(_received, page.messages), next=page.next, head=page.head, tail=page.tail)


def roster_report(present: Present) -> Roster:
    """Who is in a channel, as the runner reads it."""
    return Roster(
        members=present.members,
        counts_only=not present.has_list,
        sessions=present.sessions,
        players=present.players,
    )


def _received(message: Received) -> adapter_pb2.Received:
    return adapter_pb2.Received(
        channel=message.channel.to_wire(),
        payload=message.payload,
        volatile=message.volatile,
        position=message.position,
        origin=message.origin,
        **{"from": message.sender},
    )
