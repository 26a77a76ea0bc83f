package fanfare

import "time"

// lateness is how much later than due a timer may fire before the client takes itself for having been stopped.
const lateness = 500 * time.Millisecond

// sign is what the heartbeat says of a connection.
type sign int

const (
	alive sign = iota
	// probe: this client was stopped, and knows nothing of the time between. A ping tells.
	probe
	dead
)

// heartbeat knows when a connection was last heard of (section 7). The zero value is one of a connection that has not been welcomed.
type heartbeat struct {
	interval, timeout time.Duration
	received          time.Time
	probed            time.Time // of the ping that waits for any answer; zero: none
}

func (h *heartbeat) heard(now time.Time) {
	h.received, h.probed = now, time.Time{}
}

// check says how the connection is, and when to look again. A check that comes late is no proof of silence: what came meanwhile may not have
// been read yet (FF-HB-009).
func (h *heartbeat) check(now time.Time) (sign, time.Time) {
	due := h.received.Add(h.interval + h.timeout)
	if !h.probed.IsZero() {
		due = h.probed.Add(h.timeout)
	}
	switch {
	case now.Before(due):
		return alive, due
	case h.probed.IsZero() && now.Sub(due) > lateness:
		h.probed = now
		return probe, now.Add(h.timeout)
	default:
		return dead, time.Time{}
	}
}
