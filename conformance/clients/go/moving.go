package fanfare

import (
	"net/url"
	"slices"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// The bound of what is held back while a session moves.
const (
	mostHeld      = 8192
	mostHeldBytes = 8 << 20
)

// move is what the client was told by goaway (section 18).
type move struct {
	url      string
	deadline time.Time
	timer    *time.Timer
	// refused: the second connection must not be tried again, and this says what to do once the first one ends.
	refused *ending
}

func (m *move) stop() {
	if m != nil {
		m.timer.Stop()
	}
}

func (l *loop) onGoaway(c *connection, told *fanfarev1.Goaway) {
	state, ok := l.state.on(sentAway)
	if !ok {
		return
	}
	l.state = state
	l.move.stop()
	m := &move{
		url:      l.destination(c.url, told.GetUrl()),
		deadline: time.Now().Add(time.Duration(told.GetDeadlineMs()) * time.Millisecond),
	}
	m.timer = l.after(time.Duration(told.GetReconnectAfterMs())*time.Millisecond, func() { l.depart(m) })
	l.move = m
}

// depart begins to move, or leaves where that is not in force.
func (l *loop) depart(m *move) {
	if l.move != m || l.state != leaving || l.closing {
		return
	}
	if l.current.has("hand_over") && l.session.secret != "" {
		l.state = l.state.must(mustMove)
		l.next = l.open(m.url, true)
		return
	}
	l.state = l.state.must(mustLeave)
	l.move = nil
	l.noteHeld(l.current)
	l.takeBack(l.current)
	l.discard(l.current, 0)
	if l.session.secret == "" {
		l.endSession(errSessionEnded)
	}
	l.events.push(Connecting{})
	l.current = l.open(m.url, false)
}

// destination is where goaway leads: to its URL only at the same origin or at one that the user has allowed, and never from wss to ws (FF-GO-007,
// FF-SC-007).
func (l *loop) destination(present, told string) string {
	to := originOf(told)
	isAllowed := to == originOf(present) || slices.ContainsFunc(l.config.AllowedOrigins, func(one string) bool { return originOf(one) == to })
	if to == (origin{}) || !isAllowed || originOf(l.config.URL).scheme == "wss" && to.scheme != "wss" {
		return present
	}
	return told
}

// origin is scheme, host and port of a URL; the zero value of what is none of a WebSocket.
type origin struct{ scheme, host, port string }

func originOf(address string) origin {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "ws" && parsed.Scheme != "wss" {
		return origin{}
	}
	port := parsed.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[parsed.Scheme]
	}
	return origin{parsed.Scheme, parsed.Hostname(), port}
}

// secondWelcomed goes on with requests on the second connection. Everything else of it waits, unless the session is a new one.
func (l *loop) secondWelcomed(second *connection) {
	l.state = l.state.must(welcomed)
	if second.welcome.GetResumed() {
		l.session.secret = second.secret()
		l.pump()
		return
	}
	l.discard(l.current, 0)
	l.firstOver(true)
}

// secondEnded tries again until the deadline, while the first connection serves on.
func (l *loop) secondEnded(e ending) {
	l.state, l.next = l.state.must(secondLost), nil
	p := e.policy()
	if p.reconnect == never || p.sessionEnds {
		l.move.refused = &e
		return
	}
	if p.reconnect == newToken {
		l.token.forget()
	}
	m := l.move
	delay := l.comeBack.backOff(p.least)
	if time.Now().Add(delay).Before(m.deadline) {
		m.timer = l.after(delay, func() { l.depart(m) })
	}
	l.pump()
}

// firstOver makes the second connection that of the session. Without handed_over, live messages may be missing (FF-GO-011).
func (l *loop) firstOver(handedOver bool) {
	first, second := l.current, l.next
	l.noteHeld(first)
	l.takeBack(first)
	first.release()
	l.former = first.transport
	time.AfterFunc(farewell, func() { first.close(0, "") })
	l.current, l.next = second, nil
	l.move.stop()
	l.move = nil
	second.missed = !handedOver
	switch {
	case second.welcome != nil:
		l.state = l.state.must(movedOver)
		l.enter(second)
	case second.codec != nil:
		l.state = l.state.must(movedEarly)
	default:
		l.state = l.state.must(movedAtOnce)
	}
}

// hold keeps a frame of the second connection. At the bound the first one is given up.
func (l *loop) hold(second *connection, frame *fanfarev1.ServerFrame) {
	second.held = append(second.held, frame)
	second.heldBytes += proto.Size(frame)
	if len(second.held) > mostHeld || second.heldBytes > mostHeldBytes {
		l.discard(l.current, 0)
		l.firstOver(false)
	}
}
