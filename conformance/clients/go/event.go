package fanfare

import (
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// Event is what Client.Next gives: one of the types below.
type Event interface {
	// about is the channel that it concerns; the zero value where it concerns none.
	about() Channel
}

// Connecting says that the client tries to connect, for the first time or again.
type Connecting struct {
	// Err is why the former connection ended, nil the first time.
	Err error
}

// Connected says that the server has welcomed the client. It comes before what the connection brings.
type Connected struct {
	SessionID, PlayerID string
	// Origin is that of the messages which this session publishes.
	Origin uint64
	// Resumed says that the session goes on. Where it is false after the first time, everything of the former session is over: live messages may
	// have been missed in every channel.
	Resumed bool
	// Subscriptions are all that the session has, those included that the server has opened by itself.
	Subscriptions map[Channel]Subscribed
}

// Closed says that the client does not come back by itself. It is the last event.
type Closed struct {
	// Err is a *ConnectionError, or ErrClosed after Close.
	Err error
}

// Message is a message of a channel that the session subscribes.
type Message struct {
	Channel  Channel
	Payload  *Payload
	From     string // the player who published it; empty: the backend
	Origin   uint64
	Seq      uint64
	SentAt   time.Time
	Volatile bool
	// Position is that in the log of a durable channel; nil in a live one. What is up to it can be committed once it is processed.
	Position *Position
}

// Gap says that messages of a channel were, or may have been, missed.
type Gap struct {
	Channel Channel
	// Reason is that of the server.
	Reason fanfarev1.GapReason
	// Overflow says that this client threw live messages away because the application did not read them. There is no reason then.
	Overflow bool
	// From and To are positions of a durable channel, nil where they are not known.
	From, To *Position
	// Missed is how many; 0: not known.
	Missed uint64
}

// Opened says that the server has subscribed the session by itself.
type Opened struct {
	Channel    Channel
	Subscribed Subscribed
}

// Ended says that a subscription is over, and not because the application asked for it.
type Ended struct {
	Channel Channel
	Reason  fanfarev1.SubscriptionCloseReason
	// Err is the refusal, or more about the reason; it may be nil.
	Err error
}

// CaughtUp says that the replay of a durable channel has ended: what follows comes as it is published.
type CaughtUp struct {
	Channel  Channel
	Position *Position
}

// Dropped says that volatile messages were left out because this client, or its application, read too slowly.
type Dropped struct{ Count uint64 }

// Fault is an error of the server that belongs to no request.
type Fault struct{ Err *Error }

func (Connecting) about() Channel { return Channel{} }
func (Connected) about() Channel  { return Channel{} }
func (Closed) about() Channel     { return Channel{} }
func (e Message) about() Channel  { return e.Channel }
func (e Gap) about() Channel      { return e.Channel }
func (e Opened) about() Channel   { return e.Channel }
func (e Ended) about() Channel    { return e.Channel }
func (e CaughtUp) about() Channel { return e.Channel }
func (Dropped) about() Channel    { return Channel{} }
func (Fault) about() Channel      { return Channel{} }
