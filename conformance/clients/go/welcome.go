package fanfare

import (
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// mostWelcomed bounds the URLs that are known to have welcomed the client.
const mostWelcomed = 16

func (l *loop) onWelcome(c *connection, w *fanfarev1.Welcome) {
	if c.welcome != nil {
		return
	}
	c.welcome, c.welcomedAt = w, time.Now()
	if len(l.welcomed) >= mostWelcomed {
		clear(l.welcomed)
	}
	l.welcomed[c.url] = true
	l.comeBack.window = time.Duration(w.GetReconnectWindowMs()) * time.Millisecond
	c.watch()
	l.token.welcomed(l, c)
	if c == l.next {
		l.secondWelcomed(c)
		return
	}
	l.state = l.state.must(welcomed)
	l.enter(c)
}

// enter makes a welcomed connection that of the session.
func (l *loop) enter(c *connection) {
	w := c.welcome
	if l.session == nil || !w.GetResumed() {
		l.endSession(errSessionEnded)
		l.session = &session{id: w.GetSessionId()}
	}
	l.session.secret = c.secret()
	l.url = c.url
	if !c.movesOn() {
		l.events.push(Connected{
			SessionID:     w.GetSessionId(),
			PlayerID:      w.GetPlayerId(),
			Origin:        w.GetOrigin(),
			Resumed:       w.GetResumed(),
			Subscriptions: subscribedIn(w),
		})
	}
	l.applyWelcome(c)
	l.connected(nil)
	l.connected = func(error) {}
	held := c.held
	c.held = nil
	for _, frame := range held {
		if !c.isOver {
			l.handle(c, frame)
		}
	}
	l.pump()
}

// movesOn says whether the session goes on here without the application having been told of a break.
func (c *connection) movesOn() bool { return c.handOver && c.welcome.GetResumed() }

func subscribedIn(w *fanfarev1.Welcome) map[Channel]Subscribed {
	all := map[Channel]Subscribed{}
	for _, result := range w.GetSubscriptions() {
		channel, ok := ChannelOf(result.GetChannel())
		if told := result.GetSubscribed(); ok && told != nil {
			all[channel] = subscribedOf(told)
		}
	}
	return all
}

// applyWelcome takes welcome.subscriptions for the whole truth (FF-HS-017).
func (l *loop) applyWelcome(c *connection) {
	results := map[Channel]*fanfarev1.SubscriptionResult{}
	channels := []Channel{}
	for _, result := range c.welcome.GetSubscriptions() {
		if channel, ok := ChannelOf(result.GetChannel()); ok {
			if results[channel] == nil {
				channels = append(channels, channel)
			}
			results[channel] = result
		}
	}
	asked, left := l.wishes()
	for _, s := range l.subscriptions.ordered() {
		switch {
		case results[s.channel] != nil:
		case left[s.channel]:
			l.subscriptions.close(s.channel)
		case s.wanted != nil:
			l.goOn(s) // there was no room for it in the hello
		default:
			l.subscriptions.close(s.channel)
			l.events.push(Ended{Channel: s.channel})
		}
	}
	for _, channel := range channels {
		l.applyResult(c, channel, results[channel], asked[channel])
	}
	l.settle(results)
}

// wishes sorts out what the unanswered requests ask for: for each channel the subscribe requests, and whether it is to be left in the end.
func (l *loop) wishes() (asked map[Channel][]*request, left map[Channel]bool) {
	asked, left = map[Channel][]*request{}, map[Channel]bool{}
	for _, r := range l.unsettled {
		if ask := r.frame.GetSubscribe(); ask != nil {
			channel, _ := ChannelOf(ask.GetChannel())
			asked[channel] = append(asked[channel], r)
			left[channel] = false
		} else {
			channel, _ := ChannelOf(r.frame.GetUnsubscribe().GetChannel())
			left[channel] = true
		}
	}
	return asked, left
}

func (l *loop) applyResult(c *connection, channel Channel, result *fanfarev1.SubscriptionResult, asked []*request) {
	former := l.subscriptions.all[channel]
	told := result.GetSubscribed()
	switch {
	case told == nil && former != nil && len(asked) == 0 && errorOf(result.GetError()).Retryable:
		former.stopped = true
		l.cannotGoOn(former, errorOf(result.GetError()))
	case told == nil:
		l.subscriptions.close(channel)
		if former != nil {
			l.events.push(Ended{Channel: channel, Err: errorOf(result.GetError())})
		}
	case l.subscriptions.refused[channel] && len(asked) == 0:
		l.leaveAgain(channel)
	case len(asked) == 0:
		l.resume(channel, told)
		if former == nil && c.movesOn() {
			l.events.push(Opened{channel, subscribedOf(told)})
		}
	}
	// Of a move that ended early, this client alone knows that something may be missing (FF-GO-011).
	if told != nil && told.GetGap() == nil && c.missed && former != nil && !former.durable {
		l.events.push(Gap{Channel: channel, Reason: fanfarev1.GapReason_GAP_REASON_DETACHED})
	}
}

// settle ends the requests that the welcome has answered, and sends the others again.
func (l *loop) settle(results map[Channel]*fanfarev1.SubscriptionResult) {
	unsettled := l.unsettled
	l.unsettled = nil
	again := []*request{}
	sentAgain := map[Channel]bool{}
	for _, r := range unsettled {
		if ask := r.frame.GetSubscribe(); ask != nil {
			channel, _ := ChannelOf(ask.GetChannel())
			if result := results[channel]; result != nil {
				r.end(replyOf(result), nil)
			} else {
				again, sentAgain[channel] = append(again, r), true
			}
			continue
		}
		channel, _ := ChannelOf(r.frame.GetUnsubscribe().GetChannel())
		if sentAgain[channel] || l.subscriptions.all[channel] != nil {
			again = append(again, r)
		} else {
			r.end(&fanfarev1.Reply{Result: &fanfarev1.Reply_Unsubscribed{Unsubscribed: &fanfarev1.Unsubscribed{}}}, nil)
		}
	}
	l.out.queue = append(again, l.out.queue...)
}

// replyOf is the result of a hello's subscription as the reply that a subscribe would have had.
func replyOf(result *fanfarev1.SubscriptionResult) *fanfarev1.Reply {
	if told := result.GetSubscribed(); told != nil {
		return &fanfarev1.Reply{Result: &fanfarev1.Reply_Subscribed{Subscribed: told}}
	}
	return &fanfarev1.Reply{Result: &fanfarev1.Reply_Error{Error: result.GetError()}}
}
