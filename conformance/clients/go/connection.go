package fanfare

import (
	"maps"
	"slices"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// connection is one WebSocket, from the search for a token to its end. It observes its transport by posting to the loop.
type connection struct {
	loop     *loop
	url      string
	handOver bool // it takes over from the one beside it
	token    string
	isOpen   bool
	isOver   bool // what still comes is not told
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
func (c *connection) opened() { c.post(func() { c.loop.onOpened(c) }) }

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

// send sends a frame, in a message of its own.
func (c *connection) send(frame *fanfarev1.ClientFrame) {
	message, err := proto.Marshal(&fanfarev1.ClientFrames{Frames: []*fanfarev1.ClientFrame{frame}})
	if err != nil {
		panic(err) // strings that are not UTF-8, which no frame has after checkBounds
	}
	c.transport.send(message)
}

// takes says whether a frame is small enough for the server (FF-TR-014).
func (c *connection) takes(frame *fanfarev1.ClientFrame) bool {
	most := c.welcome.GetLimits().GetMaxFrameBytes()
	return most == 0 || proto.Size(&fanfarev1.ClientFrames{Frames: []*fanfarev1.ClientFrame{frame}}) <= int(most)
}

// isFull says whether as many requests wait for their reply as the server admits (FF-FR-015).
func (c *connection) isFull() bool {
	return len(c.pending) >= int(max(1, c.welcome.GetLimits().GetMaxPendingRequests()))
}

// ask sends a request under an id that no other one of this connection has.
func (c *connection) ask(r *request) {
	for {
		c.lastID++
		if _, taken := c.pending[c.lastID]; !taken && c.lastID != 0 {
			break
		}
	}
	r.frame.Id, r.sent = c.lastID, true
	c.pending[c.lastID] = r
	c.send(r.frame)
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
		c.send(&fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Ping{Ping: &fanfarev1.Ping{SentAtUs: uint64(now.UnixMicro())}}})
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
	c.send(&fanfarev1.ClientFrame{Id: id, Kind: &fanfarev1.ClientFrame_Pong{Pong: &fanfarev1.Pong{
		PingSentAtUs: ping.GetSentAtUs(),
		ReceivedAtUs: now,
		SentAtUs:     now,
	}}})
}
