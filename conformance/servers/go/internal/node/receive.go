package node

import (
	"fmt"
	"runtime/debug"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/wire"
	"github.com/coder/websocket"
)

// maxFrames is how many frames a message may hold (FF-TR-015).
const maxFrames = 1024

// receive handles one WebSocket message.
func (c *connection) receive(messageType websocket.MessageType, data []byte) {
	if c.closing {
		return
	}
	now := c.node.now()
	c.heartbeat.receivedAt = now
	if messageType != c.codec.MessageType {
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR,
			failure(fanfarev1.ErrorCode_ERROR_CODE_MALFORMED, "", "text on the binary subprotocol, or the reverse"))
		return
	}
	message, err := c.codec.Decode(data)
	if err != nil {
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR,
			failure(fanfarev1.ErrorCode_ERROR_CODE_MALFORMED, "", "the message cannot be decoded"))
		return
	}
	if len(message.GetFrames()) > maxFrames {
		refused := failure(fanfarev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, "frames", fmt.Sprintf("at most %d frames", maxFrames))
		if c.session == nil {
			c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR, refused)
		} else {
			c.send(errorFrame(refused))
		}
		return
	}
	tooMany := c.countBytes(len(data), now)
	if c.session == nil && len(message.GetFrames()) > 1 {
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR,
			failure(fanfarev1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, "", "hello comes first, and alone until its welcome"))
		return
	}
	for _, frame := range message.GetFrames() {
		if c.closing {
			return
		}
		c.handleFrame(frame, c.countFrame(tooMany, now), now)
	}
}

// countBytes takes a message from the bucket of bytes, and closes a connection that is in debt by one more bucket (FF-LI-004).
func (c *connection) countBytes(length int, now time.Time) *fanfarev1.Error {
	limits := c.node.settings.Limits
	left := c.bytes.Take(float64(length), now)
	if left >= 0 {
		return nil
	}
	if left < -max(float64(limits.GetBytesPerSecond()), 2*float64(limits.GetMaxFrameBytes())) {
		c.close(fanfarev1.CloseCode_CLOSE_CODE_RATE_LIMITED, "too many bytes in a time")
	}
	return rateLimited(c.bytes.Wait(0, now))
}

// countFrame takes a frame from the bucket of frames, and closes a connection that is in debt by one more second's worth (FF-LI-003,
// FF-LI-004). Of a message with too many bytes every frame is refused.
func (c *connection) countFrame(tooMany *fanfarev1.Error, now time.Time) *fanfarev1.Error {
	left := c.frames.Take(1, now)
	if left < -float64(c.node.settings.Limits.GetFramesPerSecond()) {
		c.close(fanfarev1.CloseCode_CLOSE_CODE_RATE_LIMITED, "too many frames in a time")
	}
	if tooMany == nil && left < 0 {
		return rateLimited(c.frames.Wait(0, now))
	}
	return tooMany
}

// handleFrame checks one frame and does what it asks for. A fault of this program's own fails the frame alone (FF-ER-005).
func (c *connection) handleFrame(frame *fanfarev1.ClientFrame, tooMany *fanfarev1.Error, now time.Time) {
	kind := wire.KindOf(frame)
	defer func() {
		if fault := recover(); fault != nil {
			c.node.log.Error("a frame failed", "kind", kind.Name, "fault", fault, "stack", string(debug.Stack()))
			c.answerError(frame, kind, failure(fanfarev1.ErrorCode_ERROR_CODE_INTERNAL, "", "a fault of the server's own"))
		}
	}()
	switch {
	case c.closing:
	case c.session == nil && kind.Name != "hello":
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR,
			failure(fanfarev1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, kind.Name, "hello comes first"))
	case c.session == nil:
		c.hello(frame.GetHello())
	case kind.Name == "hello":
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR,
			failure(fanfarev1.ErrorCode_ERROR_CODE_FAILED_PRECONDITION, "hello", "hello comes once"))
	case tooMany != nil && kind.Name != "disconnect":
		c.answerError(frame, kind, tooMany)
	case kind.Name == "":
		c.unknownKinds++
		if frame.GetId() != 0 {
			c.answerError(frame, kind, failure(fanfarev1.ErrorCode_ERROR_CODE_UNIMPLEMENTED, "", "a frame of an unknown kind, or of none"))
		}
	default:
		c.handleKnown(frame, kind, now)
	}
}

func (c *connection) handleKnown(frame *fanfarev1.ClientFrame, kind wire.Kind, now time.Time) {
	if kind.Feature != "" && !c.features[kind.Feature] {
		if kind.IsRequest() {
			c.answerError(frame, kind, failure(fanfarev1.ErrorCode_ERROR_CODE_UNIMPLEMENTED, kind.Name,
				"the feature "+kind.Feature+" is not in force"))
		}
		return
	}
	if violation := wire.CheckBounds(kind.Body, kind.Name); violation != nil {
		c.answerError(frame, kind, failure(fanfarev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, violation.Field, violation.Reason))
		return
	}
	wire.Strip(kind.Body, c.features)
	c.handle(frame, kind, now)
}

// handle does what a valid frame asks for, and answers it.
func (c *connection) handle(frame *fanfarev1.ClientFrame, kind wire.Kind, now time.Time) {
	s := c.session
	switch body := frame.GetKind().(type) {
	case *fanfarev1.ClientFrame_Subscribe:
		sub, watch, refused := s.subscribe(body.Subscribe, "subscribe")
		if refused != nil {
			c.answerError(frame, kind, refused)
			return
		}
		subscribed := sub.subscribed()
		subscribed.Presence = watch
		c.answer(frame, &fanfarev1.Reply{Result: &fanfarev1.Reply_Subscribed{Subscribed: subscribed}})
		if watch {
			sub.watch()
		}
	case *fanfarev1.ClientFrame_Unsubscribe:
		refused := s.unsubscribe(body.Unsubscribe)
		c.answerOr(frame, kind, &fanfarev1.Reply{Result: &fanfarev1.Reply_Unsubscribed{Unsubscribed: &fanfarev1.Unsubscribed{}}}, refused)
	case *fanfarev1.ClientFrame_Publish:
		reply := s.publish(body.Publish, frame.GetId() != 0, c.features)
		c.answerOr(frame, kind, reply, reply.GetError())
	case *fanfarev1.ClientFrame_Presence:
		page, refused := s.presence(body.Presence)
		c.answerOr(frame, kind, &fanfarev1.Reply{Result: &fanfarev1.Reply_PresencePage{PresencePage: page}}, refused)
	case *fanfarev1.ClientFrame_PresenceUpdate:
		refused := s.presenceUpdate(body.PresenceUpdate)
		c.answerOr(frame, kind,
			&fanfarev1.Reply{Result: &fanfarev1.Reply_PresenceUpdated{PresenceUpdated: &fanfarev1.PresenceUpdated{}}}, refused)
	case *fanfarev1.ClientFrame_Refresh:
		refreshed, refused := c.refresh(body.Refresh)
		c.answerOr(frame, kind, &fanfarev1.Reply{Result: &fanfarev1.Reply_Refreshed{Refreshed: refreshed}}, refused)
		if refused == nil {
			s.reconcile()
		}
	case *fanfarev1.ClientFrame_Ping:
		c.pong(frame.GetId(), body.Ping, now)
	case *fanfarev1.ClientFrame_Disconnect:
		s.app.bury(s.id, fanfarev1.CloseCode_CLOSE_CODE_DISCONNECTED)
		c.close(fanfarev1.CloseCode_CLOSE_CODE_DISCONNECTED, "the client has disconnected")
	}
}

func (c *connection) answerOr(frame *fanfarev1.ClientFrame, kind wire.Kind, reply *fanfarev1.Reply, refused *fanfarev1.Error) {
	if refused != nil {
		c.answerError(frame, kind, refused)
		return
	}
	c.answer(frame, reply)
}

// answer replies to a request that has an id (FF-FR-002, FF-FR-003).
func (c *connection) answer(frame *fanfarev1.ClientFrame, reply *fanfarev1.Reply) {
	if frame.GetId() != 0 {
		c.send(replyFrame(frame.GetId(), reply))
	}
}

// answerError refuses a frame: a request by a reply, or by an error frame if it has no id (FF-FR-010); a ping and a pong by silence.
func (c *connection) answerError(frame *fanfarev1.ClientFrame, kind wire.Kind, refused *fanfarev1.Error) {
	if kind.IsRequest() && frame.GetId() != 0 {
		c.send(replyFrame(frame.GetId(), failed(refused)))
		return
	}
	if kind.Name == "ping" || kind.Name == "pong" || kind.Name == "rpc_result" {
		return
	}
	now := c.node.now()
	if last, sent := c.lastErrors[refused.GetCode()]; sent && now.Sub(last) < time.Second {
		return
	}
	c.lastErrors[refused.GetCode()] = now
	c.send(errorFrame(refused))
}
