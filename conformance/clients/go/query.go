package fanfare

import (
	"context"
	"errors"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// HistoryQuery says what to read of a log.
type HistoryQuery struct {
	// From is where to read on, itself not included. Nil: the end at which the direction begins.
	From *Position
	// Forward reads the oldest first, otherwise the newest.
	Forward bool
	// Limit of messages on a page; 0: 50.
	Limit uint32
}

// HistoryPage is a part of a log.
type HistoryPage struct {
	// Messages in the direction asked for.
	Messages []Message
	// Next is where to read on; nil: there is nothing more.
	Next *Position
	// Head and Tail are the newest position and the oldest that can be read from.
	Head, Tail *Position
}

// History reads the log of a durable channel, which need not be subscribed.
func (c *Client) History(ctx context.Context, channel Channel, query HistoryQuery) (HistoryPage, error) {
	ask := &fanfarev1.HistoryQuery{Channel: channel.Wire(), From: query.From.Wire(), Limit: query.Limit}
	if query.Forward {
		ask.Direction = fanfarev1.HistoryDirection_HISTORY_DIRECTION_FORWARD
	}
	frame := &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_History{History: ask}}
	r := &request{frame: frame, feature: "history"}
	return begin(c.loop, r, func(reply *fanfarev1.Reply, err error) (HistoryPage, error) {
		return pageOf(channel, reply.GetHistoryPage()), err
	}).Wait(ctx)
}

func pageOf(channel Channel, wire *fanfarev1.HistoryPage) HistoryPage {
	page := HistoryPage{Next: PositionOf(wire.GetNext()), Head: PositionOf(wire.GetHead()), Tail: PositionOf(wire.GetTail())}
	for _, message := range wire.GetMessages() {
		position := &Position{
			Epoch:  wire.GetHead().GetEpoch(),
			Offset: message.GetLog().GetOffset(),
			Tag:    message.GetLog().GetTag(),
		}
		page.Messages = append(page.Messages, messageOf(channel, message, position))
	}
	return page
}

// Commit keeps how far the player has read a durable channel: everything up to the position is processed (FF-HI-009). It returns the cursor as it
// stands now, further on if another session was ahead.
func (c *Client) Commit(ctx context.Context, channel Channel, position Position) (*Position, error) {
	commit := &fanfarev1.CursorCommit{Channel: channel.Wire(), Position: position.Wire()}
	frame := &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_CursorCommit{CursorCommit: commit}}
	r := &request{frame: frame, feature: "cursor"}
	return begin(c.loop, r, func(reply *fanfarev1.Reply, err error) (*Position, error) {
		return PositionOf(reply.GetCursorCommitted().GetCursor()), err
	}).Wait(ctx)
}

// defaultCall is how long a call waits without a deadline of its own, and mostCall the most that a call can ask for.
const (
	defaultCall = 5 * time.Second
	mostCall    = time.Minute
)

// Call calls the game's backend. It waits until the context's deadline, for 5 s without one and for a minute at most, and is never repeated.
func (c *Client) Call(ctx context.Context, method string, payload *Payload) (*Payload, error) {
	patience := defaultCall
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(time.Until(deadline), mostCall)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	call := &fanfarev1.Rpc{Method: method, Payload: payload, DeadlineMs: uint32(max(1, patience.Milliseconds()))}
	r := &request{frame: &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Rpc{Rpc: call}}, feature: "client_rpc"}
	result, err := begin(c.loop, r, func(reply *fanfarev1.Reply, err error) (*Payload, error) {
		if refused := reply.GetRpcResult().GetError(); refused != nil {
			return nil, errorOf(refused)
		}
		return reply.GetRpcResult().GetPayload(), err
	}).Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, failure(fanfarev1.ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED, "no answer within %v", patience)
	}
	return result, err
}

// Handler answers a call of the backend. The context ends at the call's deadline and with the client. An *Error reaches the caller as it is, any
// other error as INTERNAL.
type Handler func(ctx context.Context, payload *Payload) (*Payload, error)

// Handle answers calls of a method from now on, each in a goroutine of its own. A nil handler answers it no more.
func (c *Client) Handle(method string, handler Handler) {
	c.handlersMu.Lock()
	defer c.handlersMu.Unlock()
	if handler == nil {
		delete(c.handlers, method)
		return
	}
	c.handlers[method] = handler
}

func (c *Client) handler(method string) Handler {
	c.handlersMu.RLock()
	defer c.handlersMu.RUnlock()
	return c.handlers[method]
}
