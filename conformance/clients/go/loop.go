package fanfare

import (
	"context"
	"errors"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

const (
	// welcomeWithin is how long a connection may take from its start to its welcome (FF-HS-019).
	welcomeWithin = 15 * time.Second
	// tokenWithin is how long the application may take for a token.
	tokenWithin = 30 * time.Second
	// byeWithin is how long the server may take to close after disconnect.
	byeWithin = time.Second
	// farewell is how long a connection is kept after handed_over, for the server to close it.
	farewell = 5 * time.Second
)

var (
	errTwice        = errors.New("fanfare: Connect is called once")
	errSessionEnded = failure(fanfarev1.ErrorCode_ERROR_CODE_SESSION_ENDED, "the session ended before an answer came")
)

// session is what lasts through reconnects.
type session struct {
	id     string
	secret string // the newest; empty: it cannot be resumed
	seq    uint64
}

// loop owns the state of a client. Everything happens in functions that it takes from posts and runs one after the other.
type loop struct {
	config  Config
	dial    dialer
	handler func(method string) Handler
	posts   chan func()
	ended   chan struct{} // closed when nothing is run any more
	cause   error         // why; not changed after ended
	ctx     context.Context
	cancel  context.CancelFunc
	events  *eventQueue

	state     state
	connected func(error) // tells who waits in Connect, once
	session   *session
	attempt   uint32
	// current is the connection of the session, next the one beside it while moving.
	current, next *connection
	// url is where the client connects; it differs from the configured one after a move.
	url      string
	welcomed map[string]bool // URLs
	former   transport       // the last one that was closed
	delay    *time.Timer     // of waiting
	move     *move
	comeBack comeBack
	token    token

	out outbox
	// unsettled are subscribe and unsubscribe requests that a former connection left without a reply.
	unsettled     []*request
	subscriptions *subscriptions
	seen          *seen
	calls         int  // that handlers are busy with
	closing       bool // disconnect is sent
}

func newLoop(config Config, dial dialer, jitter func() float64, handler func(string) Handler) *loop {
	l := &loop{
		config:        config,
		dial:          dial,
		handler:       handler,
		posts:         make(chan func()),
		ended:         make(chan struct{}),
		url:           config.URL,
		welcomed:      map[string]bool{},
		comeBack:      comeBack{jitter: jitter, window: defaultWindow},
		subscriptions: newSubscriptions(),
		seen:          newSeen(seenBound),
		connected:     func(error) {},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.events = newEventQueue(func() { l.post(l.readOn) })
	return l
}

func (l *loop) run() {
	defer close(l.ended)
	for l.state != closed {
		(<-l.posts)()
	}
}

// post has a function run by the loop. False: the loop has ended, and it is not run.
func (l *loop) post(f func()) bool {
	select {
	case l.posts <- f:
		return true
	case <-l.ended:
		return false
	}
}

// after has a function run by the loop later, unless the timer is stopped before. What it finds then may have changed.
func (l *loop) after(delay time.Duration, f func()) *time.Timer {
	return time.AfterFunc(delay, func() { l.post(f) })
}

// connect begins the client's first connection.
func (l *loop) connect(told func(error)) {
	state, ok := l.state.on(asked)
	if !ok {
		told(errTwice)
		return
	}
	l.state, l.connected = state, told
	l.events.push(Connecting{})
	l.current = l.open(l.url, false)
}

// open begins a connection: a token, a WebSocket, and a hello once it is open.
func (l *loop) open(url string, handOver bool) *connection {
	c := &connection{loop: l, url: url, handOver: handOver, pending: map[uint32]*request{}}
	var after <-chan struct{}
	if l.former != nil && !handOver {
		after = l.former.gone() // one connection at a time (FF-BO-008)
	}
	l.withToken(func(token string, err error) {
		if c.isOver {
			return
		}
		if err != nil {
			l.onEnded(c, ending{err: err})
			return
		}
		c.token = token
		c.timer = l.after(welcomeWithin, func() {
			if !c.isOver && c.welcome == nil {
				c.close(0, "no welcome in time")
				l.onEnded(c, ending{err: errors.New("no welcome in time")})
			}
		})
		c.transport = l.dial(url, after, c)
	})
	return c
}

func (l *loop) onOpened(c *connection, selected *codec) {
	if c == l.current {
		l.state = l.state.must(opened)
	}
	c.codec = selected
	c.tell(&fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Hello{Hello: l.hello(c)}})
}

// onEnded is told once when a connection has ended, or could not be made.
func (l *loop) onEnded(c *connection, e ending) {
	c.release()
	switch {
	case l.closing:
		l.shut(ErrClosed)
	case c == l.next && c.welcome == nil:
		l.secondEnded(e)
	case c == l.next:
		// The session had moved there, so the first connection is of no use any more.
		l.takeBack(l.current)
		l.discard(l.current, 0)
		l.current, l.next = c, nil
		l.decide(c, e)
	case l.next != nil:
		l.firstOver(false)
	default:
		l.decide(c, e)
	}
}

// decide goes on after the end of the only connection, by section 20.
func (l *loop) decide(c *connection, e ending) {
	p := e.policy()
	if l.move != nil && l.move.refused != nil {
		e = *l.move.refused
		p = e.policy()
	}
	l.move.stop()
	l.move = nil
	isWelcomed := c.welcome != nil
	l.noteHeld(c)
	l.takeBack(c)
	if p.reconnect == never && e.status != 0 && l.welcomed[c.url] {
		p.reconnect = backOff // FF-CL-005
	}
	if !isWelcomed {
		l.url = l.config.URL
	}
	if p.reconnect == never {
		l.shut(e.asError())
		return
	}
	if p.sessionEnds || l.session != nil && l.session.secret == "" {
		l.endSession(errSessionEnded)
	}
	l.state = l.state.must(lost)
	if l.former != nil {
		l.former.close(0, "") // after a move the server may not have closed it yet
	}
	l.current, l.former = nil, c.transport
	l.events.push(Connecting{Err: e.asError()})
	if p.reconnect != newToken {
		l.comeBack.tokenRefused = false
	}
	switch p.reconnect {
	case newToken:
		l.comeWithNewToken(isWelcomed)
	case soon:
		l.wait(l.comeBack.soon(p.least))
	default:
		l.wait(l.comeBack.backOff(p.least))
	}
}

// noteHeld resets the delays if a connection that ends has held (FF-BO-003).
func (l *loop) noteHeld(c *connection) {
	if c.welcome != nil && time.Since(c.welcomedAt) >= heldAfter {
		l.comeBack.held()
	}
}

func (l *loop) wait(delay time.Duration) { l.delay = l.after(delay, l.tryAgain) }

func (l *loop) tryAgain() {
	if state, ok := l.state.on(delayOver); ok {
		l.state = state
		l.current = l.open(l.url, false)
	}
}

// discard lets go of a connection that is not told any more.
func (l *loop) discard(c *connection, code fanfarev1.CloseCode) {
	if c == nil || c.isOver {
		return
	}
	c.release()
	c.close(code, "")
	l.former = c.transport
}

// endSession is for a session that cannot go on: what became of its publishes is not known (FF-ID-005).
func (l *loop) endSession(cause error) {
	l.session = nil
	repeats := l.out.repeats
	l.out.repeats = nil
	for _, r := range repeats {
		r.end(nil, cause)
	}
}

// close ends the session for good (FF-SE-018).
func (l *loop) close() {
	if l.closing {
		return
	}
	c := l.current
	if l.next != nil && l.next.welcome != nil {
		c = l.next
	}
	if c == nil || c.welcome == nil {
		l.shut(ErrClosed)
		return
	}
	c.tell(&fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Disconnect{Disconnect: &fanfarev1.Disconnect{}}})
	l.closing = true
	l.after(byeWithin, func() { l.shut(ErrClosed) })
}

// shut ends the client: nothing is run after it.
func (l *loop) shut(cause error) {
	state, ok := l.state.on(finished)
	if !ok {
		return
	}
	l.state, l.cause = state, cause
	l.cancel()
	for _, c := range []*connection{l.current, l.next} {
		if c != nil {
			l.takeBack(c)
			l.discard(c, fanfarev1.CloseCode_CLOSE_CODE_DISCONNECTED)
		}
	}
	l.move.stop()
	l.token.stop()
	if l.delay != nil {
		l.delay.Stop()
	}
	l.endSession(cause)
	unsent := append(l.unsettled, l.out.queue...)
	l.unsettled, l.out.queue = nil, nil
	for _, r := range unsent {
		r.end(nil, cause)
	}
	l.connected(cause)
	l.events.close(cause)
}
