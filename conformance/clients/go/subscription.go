package fanfare

import (
	"maps"
	"slices"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// Subscribed is what the server says of a subscription.
type Subscribed struct {
	// Durable: the channel has a log, and the fields below are filled as they are known. Otherwise it is live.
	Durable bool
	// Position is that from which messages follow, Head the newest of the log, Cursor the player's.
	Position, Head, Cursor *Position
	// Recovered: nothing is missing between the position asked for and Position.
	Recovered bool
	// ByServer: the player is a member, or it is the player's own channel or broadcast.
	ByServer bool
}

func subscribedOf(wire *fanfarev1.Subscribed) Subscribed {
	return Subscribed{
		Durable:   wire.GetDeliveryClass() == fanfarev1.DeliveryClass_DELIVERY_CLASS_DURABLE,
		Position:  PositionOf(wire.GetPosition()),
		Head:      PositionOf(wire.GetHead()),
		Cursor:    PositionOf(wire.GetCursor()),
		Recovered: wire.GetRecovered(),
		ByServer:  wire.GetByServer(),
	}
}

func gapOf(channel Channel, wire *fanfarev1.Gap) Gap {
	return Gap{
		Channel: channel,
		Reason:  wire.GetReason(),
		From:    PositionOf(wire.GetFrom()),
		To:      PositionOf(wire.GetTo()),
		Missed:  wire.GetMissed(),
	}
}

// subscription is one that stands, or that stood when the connection was lost.
type subscription struct {
	channel Channel
	// wanted by the application, and as what it asked for; nil: the server's own.
	wanted *fanfarev1.Subscribe
	// durable: messages are checked against position.
	durable bool
	// position is kept while the channel is served live, so that nothing is missed when it is served durable again.
	position *Position
	byServer bool
	// stopped: nothing is taken until the server has answered where to go on (FF-DU-002).
	stopped bool
	// full: stopped because the application has to read first.
	full bool
	// turn orders subscriptions by when they were opened.
	turn int
}

// begins is told where the channel goes on.
func (s *subscription) begins(told Subscribed) {
	s.durable, s.byServer, s.stopped, s.full = told.Durable, told.ByServer, false, false
	if !told.Durable {
		return
	}
	s.position = told.Position
	if s.position == nil {
		s.position = &Position{}
	}
}

// goesOn is what a client asks for to go on where it is.
func (s *subscription) goesOn() *fanfarev1.Subscribe {
	ask := &fanfarev1.Subscribe{Channel: s.channel.Wire()}
	if s.wanted != nil {
		ask = proto.CloneOf(s.wanted)
	}
	if s.position != nil {
		ask.Start = &fanfarev1.Subscribe_After{After: s.position.Wire()}
	}
	return ask
}

// subscriptions are those of the session.
type subscriptions struct {
	all map[Channel]*subscription
	// refused are channels of the server's own that the application has unsubscribed.
	refused map[Channel]bool
	turn    int
}

func newSubscriptions() *subscriptions {
	return &subscriptions{all: map[Channel]*subscription{}, refused: map[Channel]bool{}}
}

// open finds the subscription of a channel, or makes it.
func (s *subscriptions) open(channel Channel) *subscription {
	found := s.all[channel]
	if found == nil {
		s.turn++
		found = &subscription{channel: channel, turn: s.turn}
		s.all[channel] = found
	}
	return found
}

func (s *subscriptions) close(channel Channel) {
	delete(s.all, channel)
	delete(s.refused, channel)
}

// ordered lists subscriptions as they were opened, those with a log first: of them most is lost if they are not named in a hello.
func (s *subscriptions) ordered() []*subscription {
	return slices.SortedFunc(maps.Values(s.all), func(a, b *subscription) int {
		if a.durable != b.durable {
			if a.durable {
				return -1
			}
			return 1
		}
		return a.turn - b.turn
	})
}
