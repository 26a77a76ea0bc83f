package fanfare

import (
	"errors"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// subscribeRequest is that of the application. A log begins anew where it asks, so that what was seen of it is forgotten (FF-DU-005): at the answer,
// because until then more comes of the former reading. Where it does not ask, a log that is being read goes on where it is.
func (l *loop) subscribeRequest(channel Channel, ask *fanfarev1.Subscribe) *request {
	r := &request{frame: &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Subscribe{Subscribe: ask}}}
	r.apply = func(reply *fanfarev1.Reply, err error) {
		if err != nil {
			return // a former subscription stands as it was (FF-FR-011)
		}
		goesOn := r.goesOn && l.subscriptions.all[channel] != nil
		s := l.subscriptions.open(channel)
		s.wanted = ask
		delete(l.subscriptions.refused, channel)
		if goesOn {
			l.resume(channel, reply.GetSubscribed())
			return
		}
		l.begin(s, reply.GetSubscribed())
		if s.durable {
			l.seen.forget(channel)
		}
	}
	return r
}

func (l *loop) unsubscribeRequest(channel Channel) *request {
	ask := &fanfarev1.Unsubscribe{Channel: channel.Wire()}
	r := &request{frame: &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Unsubscribe{Unsubscribe: ask}}}
	r.apply = func(_ *fanfarev1.Reply, err error) {
		var refused *Error
		if err != nil && !(errors.As(err, &refused) && refused.Code == fanfarev1.ErrorCode_ERROR_CODE_NOT_SUBSCRIBED) {
			return
		}
		s := l.subscriptions.all[channel]
		l.subscriptions.close(channel)
		if s != nil && s.byServer {
			l.subscriptions.refused[channel] = true
		}
	}
	return r
}

// leaveAgain is for a channel of the server's own that a new session has opened and the application does not want.
func (l *loop) leaveAgain(channel Channel) {
	l.out.queue = append(l.out.queue, l.unsubscribeRequest(channel))
}

// begin takes the answer of a subscription, and tells what it misses.
func (l *loop) begin(s *subscription, told *fanfarev1.Subscribed) {
	s.begins(subscribedOf(told))
	if gap := told.GetGap(); gap != nil {
		l.events.push(gapOf(s.channel, gap))
	}
}

// resume takes the answer of a subscription that goes on. While a session moves the former connection can have brought more than the new one begins
// with; that is not taken a second time.
func (l *loop) resume(channel Channel, told *fanfarev1.Subscribed) {
	s := l.subscriptions.open(channel)
	reached := s.position
	l.begin(s, told)
	if s.durable && told.GetGap() == nil && reached != nil && reached.Epoch == s.position.Epoch && reached.Offset > s.position.Offset {
		s.position = reached
	}
}

// goOn subscribes again after the position that was reached. Nothing of a durable channel is taken until the reply (FF-DU-002).
func (l *loop) goOn(s *subscription) {
	s.stopped = true
	ask := s.goesOn()
	r := &request{frame: &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Subscribe{Subscribe: ask}}, resyncs: s}
	isLive := !s.durable
	r.apply = func(reply *fanfarev1.Reply, err error) {
		if l.subscriptions.all[s.channel] != s {
			return
		}
		if err != nil {
			l.cannotGoOn(s, err)
			return
		}
		l.begin(s, reply.GetSubscribed())
		if isLive && reply.GetSubscribed().GetGap() == nil {
			l.events.push(Gap{Channel: s.channel, Reason: fanfarev1.GapReason_GAP_REASON_DETACHED})
		}
	}
	l.out.queue = append(l.out.queue, r)
	l.pump()
}

// cannotGoOn tries again where that may help, and gives the subscription up where it does not.
func (l *loop) cannotGoOn(s *subscription, err error) {
	var refused *Error
	if errors.As(err, &refused) && refused.Retryable {
		l.after(max(refused.RetryAfter, 100*time.Millisecond), func() {
			if l.subscriptions.all[s.channel] == s && s.stopped && l.sendsOn() != nil {
				l.goOn(s)
			}
		})
		return
	}
	l.subscriptions.close(s.channel)
	l.events.push(Ended{Channel: s.channel, Err: err})
}

// onSubscription takes what happens to a subscription without a request (section 10).
func (l *loop) onSubscription(event *fanfarev1.SubscriptionEvent) {
	channel, ok := ChannelOf(event.GetChannel())
	if !ok {
		return
	}
	if opened := event.GetOpened(); opened != nil {
		delete(l.subscriptions.refused, channel)
		l.begin(l.subscriptions.open(channel), opened)
		l.events.push(Opened{channel, subscribedOf(opened)})
		return
	}
	s := l.subscriptions.all[channel]
	if s == nil {
		return
	}
	switch told := event.GetEvent().(type) {
	case *fanfarev1.SubscriptionEvent_Closed:
		if told.Closed.GetReason() == fanfarev1.SubscriptionCloseReason_SUBSCRIPTION_CLOSE_REASON_FAILED {
			l.goOn(s)
			return
		}
		ended := Ended{Channel: channel, Reason: told.Closed.GetReason()}
		if told.Closed.GetError() != nil {
			ended.Err = errorOf(told.Closed.GetError())
		}
		l.subscriptions.close(channel)
		l.events.push(ended)
	case *fanfarev1.SubscriptionEvent_Gap:
		if to := PositionOf(told.Gap.GetTo()); to != nil && s.durable {
			s.position = to
		}
		l.events.push(gapOf(channel, told.Gap))
	case *fanfarev1.SubscriptionEvent_CaughtUp:
		if s.durable && !s.stopped {
			l.events.push(CaughtUp{channel, PositionOf(told.CaughtUp.GetPosition())})
		}
	}
}
