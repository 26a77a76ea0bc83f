package node

import (
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// heartbeat knows when a connection was last heard of (section 7).
type heartbeat struct {
	interval, timeout          time.Duration
	sentAt, receivedAt, pingAt time.Time
	lastID                     uint32
	timer                      *time.Timer
}

// due says when the next ping is to be sent: nothing sent, or nothing received, for the interval, and no ping within it (FF-HB-001, FF-HB-002).
func (h *heartbeat) due() time.Time {
	quiet := h.sentAt
	if h.receivedAt.Before(quiet) {
		quiet = h.receivedAt
	}
	if quiet.Before(h.pingAt) {
		quiet = h.pingAt
	}
	return quiet.Add(h.interval)
}

// deadline says when the connection is to be taken for dead (FF-HB-005).
func (h *heartbeat) deadline() time.Time { return h.receivedAt.Add(h.interval + h.timeout) }

func (h *heartbeat) stop() {
	if h.timer != nil {
		h.timer.Stop()
	}
}

// startHeartbeat begins with the welcome. The client can wish an interval within the server's range (FF-HS-020).
func (c *connection) startHeartbeat(wished time.Duration) {
	settings, now := c.node.settings, c.node.now()
	c.heartbeat.interval, c.heartbeat.timeout = settings.HeartbeatInterval, settings.HeartbeatTimeout
	if wished > 0 {
		c.heartbeat.interval = min(max(wished, settings.HeartbeatIntervalMin), settings.HeartbeatIntervalMax)
	}
	c.heartbeat.sentAt, c.heartbeat.receivedAt, c.heartbeat.pingAt = now, now, now
	c.heartbeat.timer = time.AfterFunc(c.heartbeat.interval, func() {
		c.node.mu.Lock()
		defer c.node.mu.Unlock()
		c.beat()
	})
}

// beat sends a ping or gives the connection up, and sleeps until either can be due again.
func (c *connection) beat() {
	if c.closing {
		return
	}
	now := c.node.now()
	if !now.Before(c.heartbeat.deadline()) {
		c.close(fanfarev1.CloseCode_CLOSE_CODE_HEARTBEAT_TIMEOUT, "nothing was received")
		return
	}
	if !now.Before(c.heartbeat.due()) {
		c.heartbeat.lastID = max(1, c.heartbeat.lastID+1)
		c.heartbeat.pingAt = now
		c.send(&outbound{frame: &fanfarev1.ServerFrame{
			Id:   c.heartbeat.lastID,
			Kind: &fanfarev1.ServerFrame_Ping{Ping: &fanfarev1.Ping{SentAtUs: uint64(now.UnixMicro())}},
		}})
	}
	next := c.heartbeat.due()
	if deadline := c.heartbeat.deadline(); deadline.Before(next) {
		next = deadline
	}
	c.heartbeat.timer.Reset(next.Sub(now))
}

// pong answers a ping under its id (FF-HB-003, FF-HB-008).
func (c *connection) pong(id uint32, ping *fanfarev1.Ping, receivedAt time.Time) {
	c.send(&outbound{frame: &fanfarev1.ServerFrame{Id: id, Kind: &fanfarev1.ServerFrame_Pong{Pong: &fanfarev1.Pong{
		PingSentAtUs: ping.GetSentAtUs(),
		ReceivedAtUs: uint64(receivedAt.UnixMicro()),
		SentAtUs:     uint64(c.node.now().UnixMicro()),
	}}}})
}
