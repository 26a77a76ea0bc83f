package fanfare

import (
	"maps"
	"slices"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// connection is one WebSocket, from the search for a token to its end. It observes its transport by posting to the loop.
type connection struct {
	loop     *loop
	url      string
	handOver bool // it takes over from the one beside it
	token    string
	// codec is nil until the WebSocket is open.
	codec  *codec
	isOver bool // what still comes is not told
	// transport is nil until there is a token.
	transport transport
	// timer is that of the welcome, and after it that of the heartbeat.
	timer *time.Timer
	// missed: the connection that it takes over from ended without handed_over.
	missed bool

	welcome    *fanfarev1.Welcome // nil before it
	welcomedAt time.Time
	heartbeat  heartbeat
	pending    map[uint32]*request
	lastID     uint32

	held      []*fanfarev1.ServerFrame // until the first connection is over
	heldBytes int
}

// The observer of the transport.
func (c *connection) opened(selected *codec) { c.post(func() { c.loop.onOpened(c, selected) }) }

func (c *connection) received(message []byte, isText bool) {
	c.post(func() { c.loop.onMessage(c, message, isText) })
}

func (c *connection) ended(e ending) { c.post(func() { c.loop.onEnded(c, e) }) }

func (c *connection) post(f func()) {
	c.loop.post(func() {
		if !c.isOver {
			f()
		}
	})
}

// release stops what the connection does by itself; nothing is told of it any more.
func (c *connection) release() {
	c.isOver = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (c *connection) close(code fanfarev1.CloseCode, reason string) {
	if c.transport != nil {
		c.transport.close(code, reason)
	}
}

// has says whether a feature is in force.
func (c *connection) has(feature string) bool {
	return feature == "" ||
		slices.Contains(c.welcome.GetFeatures(), feature) && slices.Contains(c.loop.config.Features, feature)
}

// secret is that of the session by this connection's welcome; empty: it cannot be resumed.
func (c *connection) secret() string {
	if !c.has("resume") {
		return ""
	}
	return c.welcome.GetResumeSecret()
}

// send sends a frame in a message of its own, unless it is larger than the server takes (FF-TR-014).
func (c *connection) send(frame *fanfarev1.ClientFrame) error {
	message, err := c.codec.marshal(&fanfarev1.ClientFrames{Frames: []*fanfarev1.ClientFrame{frame}})
	if err != nil {
		return failure(fanfarev1.ErrorCode_ERROR_CODE_INTERNAL, "a frame cannot be encoded: %v", err)
	}
	if most := c.welcome.GetLimits().GetMaxFrameBytes(); most > 0 && len(message) > int(most) {
		return failure(fanfarev1.ErrorCode_ERROR_CODE_TOO_LARGE, "a message of %d bytes, and the server takes %d", len(message), most)
	}
	c.transport.send(message)
	return nil
}

// tell sends a frame that always fits.
func (c *connection) tell(frame *fanfarev1.ClientFrame) { _ = c.send(frame) }

// isFull says whether as many requests wait for their reply as the server admits (FF-FR-015).
func (c *connection) isFull() bool {
	return len(c.pending) >= int(max(1, c.welcome.GetLimits().GetMaxPendingRequests()))
}

// ask sends a request under an id that no other one of this connection has.
func (c *connection) ask(r *request) error {
	for {
		c.lastID++
		if _, taken := c.pending[c.lastID]; !taken && c.lastID != 0 {
			break
		}
	}
	r.frame.Id = c.lastID
	if err := c.send(r.frame); err != nil {
		return err
	}
	r.sent = true
	c.pending[c.lastID] = r
	return nil
}

// inOrder lists the requests without a reply as they were sent.
func (c *connection) inOrder() []*request {
	ids := slices.Sorted(maps.Keys(c.pending))
	requests := make([]*request, len(ids))
	for i, id := range ids {
		requests[i] = c.pending[id]
	}
	return requests
}

// hasUnansweredPublish says whether a publish waits for its reply here.
func (c *connection) hasUnansweredPublish() bool {
	for _, r := range c.pending {
		if r.isPublish() {
			return true
		}
	}
	return false
}

// watch begins the heartbeat, at the welcome.
func (c *connection) watch() {
	c.timer.Stop()
	c.heartbeat.interval = time.Duration(c.welcome.GetHeartbeatIntervalMs()) * time.Millisecond
	c.heartbeat.timeout = time.Duration(c.welcome.GetHeartbeatTimeoutMs()) * time.Millisecond
	c.beat()
}

func (c *connection) beat() {
	if c.isOver {
		return
	}
	now := time.Now()
	sign, next := c.heartbeat.check(now)
	switch sign {
	case probe:
		c.tell(&fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Ping{Ping: &fanfarev1.Ping{SentAtUs: uint64(now.UnixMicro())}}})
	case dead:
		code := fanfarev1.CloseCode_CLOSE_CODE_HEARTBEAT_TIMEOUT
		c.close(code, "nothing was received")
		c.loop.onEnded(c, ending{code: int(code)})
		return
	}
	c.timer = c.loop.after(next.Sub(now), c.beat)
}

// pong answers a ping under its id (FF-HB-003, FF-HB-008).
func (c *connection) pong(id uint32, ping *fanfarev1.Ping) {
	now := uint64(time.Now().UnixMicro())
	c.tell(&fanfarev1.ClientFrame{Id: id, Kind: &fanfarev1.ClientFrame_Pong{Pong: &fanfarev1.Pong{
		PingSentAtUs: ping.GetSentAtUs(),
		ReceivedAtUs: now,
		SentAtUs:     now,
	}}})
}
