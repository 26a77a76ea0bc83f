package node

import (
	"strconv"
	"time"

	configv1 "fanfare.example/server/gen/fanfare/config/v1"
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

const defaultMaxPresenceMembers = 1000

// countsOnly says whether a channel tells numbers and no lists: its namespace wants it so, or too many are there (FF-PR-009).
func (c *channel) countsOnly() bool {
	most := int(c.rules.GetMaxPresenceMembers())
	if most == 0 {
		most = defaultMaxPresenceMembers
	}
	return c.rules.GetPresence() == configv1.PresenceMode_PRESENCE_MODE_COUNTS || len(c.roster.members) > most
}

// join makes a subscription visible.
func (c *channel) join(sub *subscription) {
	if c.roster == nil {
		return
	}
	if c.roster.mustFlush(sub.session.origin) {
		c.flush()
	}
	c.roster.join(&fanfarev1.PresenceMember{
		Origin: sub.session.origin, Generation: generation, PlayerId: sub.session.player.id, Data: sub.data,
	})
	c.flushSoon()
}

func (c *channel) update(sub *subscription) {
	if c.roster != nil {
		c.roster.update(sub.session.origin, sub.data)
		c.flushSoon()
	}
}

func (c *channel) leave(sub *subscription, reason fanfarev1.LeaveReason) {
	if c.roster != nil {
		c.roster.leave(sub.session.origin, reason)
		c.flushSoon()
	}
}

// flushSoon gathers changes for a tick.
func (c *channel) flushSoon() {
	if c.flushing {
		return
	}
	c.flushing = true
	node := c.app.node
	time.AfterFunc(node.settings.PresenceTick, func() {
		node.mu.Lock()
		defer node.mu.Unlock()
		c.flushing = false
		c.flush()
	})
}

// flush tells every watcher what was gathered.
func (c *channel) flush() {
	diffs := c.roster.flush()
	if len(diffs) == 0 {
		return
	}
	wasCounted := c.roster.counted
	c.roster.counted = c.countsOnly()
	var frames []*outbound
	switch {
	case c.roster.counted:
		frames = c.countsFrames()
	case wasCounted:
		frames = c.snapshotFrames()
	default:
		for _, diff := range diffs {
			frames = append(frames, c.presenceFrame(&fanfarev1.PresenceEvent{Event: &fanfarev1.PresenceEvent_Diff{Diff: diff}}))
		}
	}
	for session, sub := range c.subscribers {
		if sub.watching {
			session.send(frames...)
		}
	}
}

// watch begins to tell a subscription's session, with the whole at first, after what others are still to be told (FF-PR-002).
func (sub *subscription) watch() {
	c := sub.channel
	sub.watching = false
	c.flush()
	sub.watching = true
	c.roster.counted = c.countsOnly()
	if c.roster.counted {
		sub.session.send(c.countsFrames()...)
	} else {
		sub.session.send(c.snapshotFrames()...)
	}
}

func (c *channel) countsFrames() []*outbound {
	return []*outbound{c.presenceFrame(&fanfarev1.PresenceEvent{Event: &fanfarev1.PresenceEvent_Counts{Counts: c.roster.counts()}})}
}

func (c *channel) snapshotFrames() []*outbound {
	var frames []*outbound
	for _, page := range c.roster.snapshot() {
		frames = append(frames, c.presenceFrame(&fanfarev1.PresenceEvent{Event: &fanfarev1.PresenceEvent_Snapshot{Snapshot: page}}))
	}
	return frames
}

func (c *channel) presenceFrame(event *fanfarev1.PresenceEvent) *outbound {
	event.Channel = c.key.message()
	return &outbound{frame: &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_PresenceEvent{PresenceEvent: event}}}
}

// presence answers who is in a channel (FF-PR-020 to FF-PR-022).
func (s *session) presence(query *fanfarev1.PresenceQuery) (*fanfarev1.PresencePage, *fanfarev1.Error) {
	key := keyOf(query.GetChannel())
	if refused := s.mayAsk(key); refused != nil {
		return nil, refused
	}
	if rules, _ := s.app.rulesOf(key); !tellsPresence(rules) {
		return nil, failure(fanfarev1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, "presence.channel", "this channel tells no presence")
	}
	after := uint64(0)
	if query.GetPageToken() != "" {
		var err error
		if after, err = strconv.ParseUint(query.GetPageToken(), 36, 64); err != nil {
			return nil, failure(fanfarev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, "presence.page_token", "not of a former page")
		}
	}
	c := s.app.channels[key]
	if c == nil {
		return &fanfarev1.PresencePage{}, nil
	}
	counts := c.roster.counts()
	page := &fanfarev1.PresencePage{Sessions: counts.GetSessions(), Players: counts.GetPlayers()}
	if query.GetCountsOnly() || c.countsOnly() {
		return page, nil
	}
	size := int(query.GetPageSize())
	if size == 0 {
		size = 100
	}
	members, more := c.roster.page(after, size)
	page.Members = members
	if more {
		page.NextPageToken = strconv.FormatUint(members[len(members)-1].GetOrigin(), 36)
	}
	return page, nil
}

// presenceUpdate changes what the session shows (FF-PR-023).
func (s *session) presenceUpdate(update *fanfarev1.PresenceUpdate) *fanfarev1.Error {
	sub := s.subscriptions[keyOf(update.GetChannel())]
	if sub == nil {
		return failure(fanfarev1.ErrorCode_ERROR_CODE_NOT_SUBSCRIBED, "presence_update.channel", "the session does not subscribe it")
	}
	if refused := tooLarge(update.GetData(), s.app.node.settings.Limits.GetMaxPresenceDataBytes(), "presence_update.data"); refused != nil {
		return refused
	}
	if sub.channel.roster == nil {
		return failure(fanfarev1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, "presence_update.channel", "this channel tells no presence")
	}
	sub.data = update.GetData()
	sub.channel.update(sub)
	return nil
}
