package fanfare

import (
	"errors"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

var errMalformed = errors.New("the server sent something that is no frame")

// onMessage takes a WebSocket message.
func (l *loop) onMessage(c *connection, message []byte, isText bool) {
	c.heartbeat.heard(time.Now())
	var frames fanfarev1.ServerFrames
	if isText != c.codec.isText || c.codec.unmarshal(message, &frames) != nil {
		code := fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR
		c.close(code, errMalformed.Error())
		l.onEnded(c, ending{code: int(code), err: errMalformed})
		return
	}
	for _, frame := range frames.GetFrames() {
		if c.isOver {
			return
		}
		l.onFrame(c, frame)
	}
}

// onFrame takes a frame as it comes. What the second connection of a move brings is kept until the first is over (FF-GO-010).
func (l *loop) onFrame(c *connection, frame *fanfarev1.ServerFrame) {
	if kind, ok := frame.GetKind().(*fanfarev1.ServerFrame_Welcome); ok {
		l.onWelcome(c, kind.Welcome)
		return
	}
	if kind, ok := frame.GetKind().(*fanfarev1.ServerFrame_Error); ok {
		l.events.push(Fault{errorOf(kind.Error)})
		return
	}
	if c.welcome == nil {
		return
	}
	switch kind := frame.GetKind().(type) {
	case *fanfarev1.ServerFrame_Ping:
		c.pong(frame.GetId(), kind.Ping)
	case *fanfarev1.ServerFrame_Rpc:
		l.onCall(c, frame.GetId(), kind.Rpc)
	default:
		if c == l.next {
			l.hold(c, frame)
		} else {
			l.handle(c, frame)
		}
	}
}

// handle takes a frame of the session's connection.
func (l *loop) handle(c *connection, frame *fanfarev1.ServerFrame) {
	switch kind := frame.GetKind().(type) {
	case *fanfarev1.ServerFrame_Reply:
		if r := c.pending[frame.GetId()]; r != nil {
			delete(c.pending, frame.GetId())
			r.end(kind.Reply, nil)
			l.pump()
		}
	case *fanfarev1.ServerFrame_Message:
		l.onChannelMessage(kind.Message)
	case *fanfarev1.ServerFrame_Skip:
		l.onSkip(kind.Skip)
	case *fanfarev1.ServerFrame_Subscription:
		l.onSubscription(kind.Subscription)
	case *fanfarev1.ServerFrame_Goaway:
		l.onGoaway(c, kind.Goaway)
	case *fanfarev1.ServerFrame_HandedOver:
		if l.next != nil {
			l.firstOver(true)
		}
	case *fanfarev1.ServerFrame_Dropped:
		l.events.push(Dropped{kind.Dropped.GetCount()})
	case nil:
		if frame.GetId() != 0 { // of a kind that this client does not know (FF-FR-014)
			c.tell(result(frame.GetId(), nil, failure(fanfarev1.ErrorCode_ERROR_CODE_UNIMPLEMENTED, "this kind of frame is not known")))
		}
	}
}

func (l *loop) onChannelMessage(wire *fanfarev1.Message) {
	channel, ok := ChannelOf(wire.GetChannel())
	s := l.subscriptions.all[channel]
	if !ok || s == nil || s.stopped {
		return // FF-SB-016, FF-DU-002
	}
	message := messageOf(channel, wire, nil)
	if s.durable {
		position, step := s.position.message(wire.GetLog())
		if step == resync {
			l.goOn(s)
		}
		if step != take {
			return
		}
		message.Position = &position
		if !l.events.fits(message) { // it stays in the log until the application has read
			s.stopped, s.full = true, true
			return
		}
		s.position = &position
	}
	if l.seen.take(source{message.Origin, channel, message.Volatile}, message.Seq) {
		l.events.push(message)
	}
}

func messageOf(channel Channel, wire *fanfarev1.Message, position *Position) Message {
	return Message{
		Channel:  channel,
		Payload:  wire.GetPayload(),
		From:     wire.GetFrom(),
		Origin:   wire.GetOrigin(),
		Seq:      wire.GetSeq(),
		SentAt:   time.UnixMilli(int64(wire.GetSentAtMs())),
		Volatile: wire.GetVolatile(),
		Position: position,
	}
}

func (l *loop) onSkip(skip *fanfarev1.Skip) {
	channel, ok := ChannelOf(skip.GetChannel())
	s := l.subscriptions.all[channel]
	if !ok || s == nil || !s.durable || s.stopped {
		return
	}
	switch position, step := s.position.skip(skip); step {
	case take:
		s.position = &position
	case resync:
		l.goOn(s)
	}
}

// readOn goes on with what was stopped because the application had to read first.
func (l *loop) readOn() {
	for _, s := range l.subscriptions.ordered() {
		if s.full && l.sendsOn() != nil {
			s.full = false
			l.goOn(s)
		}
	}
}
