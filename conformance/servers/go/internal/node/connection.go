package node

import (
	"context"
	"io"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/rate"
	"fanfare.example/server/internal/sendqueue"
	"fanfare.example/server/internal/wire"
	"github.com/coder/websocket"
)

// helloBytes is the least that a first message may have (FF-TR-017).
const helloBytes = 65_536

// closeGrace is how long a close waits for a reader that takes nothing.
const closeGrace = 5 * time.Second

// connection is one WebSocket. Two goroutines serve it: one reads and handles, one writes what the queue holds.
type connection struct {
	node   *Node
	socket *websocket.Conn
	codec  *wire.Codec
	origin string // of the page
	queue  *sendqueue.Queue

	// What follows is guarded by Node.mu.
	session      *session // nil before the welcome
	features     wire.Features
	closing      bool // a close was decided; nothing is handled any more
	frames       *rate.Bucket
	bytes        *rate.Bucket
	helloTimer   *time.Timer
	expiryTimer  *time.Timer
	heartbeat    heartbeat
	lastErrors   map[fanfarev1.ErrorCode]time.Time
	unknownKinds int
}

func newConnection(node *Node, socket *websocket.Conn, codec *wire.Codec, origin string) *connection {
	socket.SetReadLimit(-1) // read has a limit of its own, which closes with 4011 instead of 1009.
	limits, now := node.settings.Limits, node.now()
	perSecond := float64(limits.GetBytesPerSecond())
	c := &connection{
		node:   node,
		socket: socket,
		codec:  codec,
		origin: origin,
		queue: sendqueue.New(node.settings.SendQueueBytes, wire.JoinedOverhead, func(count uint64) []byte {
			return codec.Encode(droppedFrame(count))
		}),
		frames:     rate.NewBucket(float64(limits.GetFramesPerSecond()), float64(limits.GetFramesPerSecond()), now),
		bytes:      rate.NewBucket(perSecond, max(perSecond, 2*float64(limits.GetMaxFrameBytes())), now),
		lastErrors: map[fanfarev1.ErrorCode]time.Time{},
	}
	c.helloTimer = time.AfterFunc(node.settings.HelloTimeout, func() {
		node.mu.Lock()
		defer node.mu.Unlock()
		if c.session == nil {
			c.close(fanfarev1.CloseCode_CLOSE_CODE_HELLO_TIMEOUT, "no hello in time")
		}
	})
	return c
}

// serve reads until the connection ends, and returns when its writer has ended too.
func (c *connection) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	written := make(chan struct{})
	go func() { c.write(ctx); close(written) }()
	err := c.read(ctx)
	c.ended(websocket.CloseStatus(err))
	<-written
	_ = c.socket.CloseNow()
}

// read handles messages in the order of their arrival (FF-TR-009).
func (c *connection) read(ctx context.Context) error {
	for {
		messageType, reader, err := c.socket.Reader(ctx)
		if err != nil {
			return err
		}
		limit := c.readLimit()
		data, err := io.ReadAll(io.LimitReader(reader, int64(limit)+1))
		if err != nil {
			return err
		}
		if len(data) > limit {
			c.node.mu.Lock()
			c.close(fanfarev1.CloseCode_CLOSE_CODE_TOO_LARGE, "a message is larger than limits.max_frame_bytes")
			c.node.mu.Unlock()
			if _, err := io.Copy(io.Discard, reader); err != nil {
				return err
			}
			continue
		}
		c.node.mu.Lock()
		c.receive(messageType, data)
		c.node.mu.Unlock()
	}
}

func (c *connection) readLimit() int {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	limit := int(c.node.settings.Limits.GetMaxFrameBytes())
	if c.session == nil {
		return max(limit, helloBytes)
	}
	return limit
}

// write writes what is queued until the queue ends, and then closes.
func (c *connection) write(ctx context.Context) {
	for {
		frames, closing := c.queue.Next(c.node.now())
		if closing != nil {
			_ = c.socket.Close(websocket.StatusCode(closing.Code), closing.Reason)
			return
		}
		if frames == nil {
			select {
			case <-c.queue.Wake():
				continue
			case <-ctx.Done():
				return
			}
		}
		if err := c.writeMessage(ctx, frames); err != nil {
			return
		}
	}
}

// writeMessage writes one message. A reader that takes none of it for the time allowed is closed with 4100 (FF-SL-006), as soon as it reads
// again or by the end of the connection.
func (c *connection) writeMessage(ctx context.Context, frames [][]byte) error {
	stall := c.node.settings.SendQueueStall
	stalled := time.AfterFunc(stall, func() {
		c.node.mu.Lock()
		defer c.node.mu.Unlock()
		c.close(fanfarev1.CloseCode_CLOSE_CODE_SLOW_CONSUMER, "the client reads too slowly")
	})
	defer stalled.Stop()
	ctx, cancel := context.WithTimeout(ctx, stall+closeGrace)
	defer cancel()
	return c.socket.Write(ctx, c.codec.MessageType, c.codec.Join(frames))
}

// send queues a frame and says whether the queue took it.
func (c *connection) send(frame *outbound) bool {
	if c.closing {
		return false
	}
	switch c.queue.Push(frame.item(c.codec)) {
	case sendqueue.Queued:
		c.heartbeat.sentAt = c.node.now()
		return true
	case sendqueue.Overflowed:
		c.close(fanfarev1.CloseCode_CLOSE_CODE_SLOW_CONSUMER, "the client reads too slowly")
	}
	return false
}

// close ends the connection with a code, after what is queued. The session ends with it or is detached, as the code's policy says (FF-SE-020,
// FF-SE-021), unless it has moved on to another connection.
func (c *connection) close(code fanfarev1.CloseCode, reason string) {
	if c.closing {
		return
	}
	c.closing = true
	c.stopTimers()
	c.queue.Close(sendqueue.Closing{Code: int(code), Reason: reason}, code == fanfarev1.CloseCode_CLOSE_CODE_SLOW_CONSUMER)
	c.leaveSession(wire.EndsSession(code))
}

// refuse closes with an error frame that says more than the close reason can (FF-HS-009).
func (c *connection) refuse(code fanfarev1.CloseCode, refused *fanfarev1.Error) {
	c.send(errorFrame(refused))
	c.close(code, refused.GetMessage())
}

// ended is told by the reader that the connection is over, with the client's close code or -1.
func (c *connection) ended(code websocket.StatusCode) {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	if c.closing {
		return
	}
	c.closing = true
	c.stopTimers()
	c.queue.Close(sendqueue.Closing{Code: int(websocket.StatusNormalClosure)}, true)
	c.leaveSession(code == websocket.StatusCode(fanfarev1.CloseCode_CLOSE_CODE_DISCONNECTED) ||
		code == websocket.StatusCode(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR))
}

func (c *connection) leaveSession(ends bool) {
	if c.session == nil || c.session.connection != c {
		return
	}
	if ends {
		c.session.connection = nil
		c.session.end(fanfarev1.LeaveReason_LEAVE_REASON_LEFT)
	} else {
		c.session.detach()
	}
}

func (c *connection) stopTimers() {
	c.helloTimer.Stop()
	if c.expiryTimer != nil {
		c.expiryTimer.Stop()
	}
	c.heartbeat.stop()
}
