package fanfare

import (
	"fmt"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// Payload is what an application sends; Text, JSON and Binary make one.
type Payload = fanfarev1.Payload

// Text makes a payload of plain text.
func Text(text string) *Payload {
	return &Payload{Data: &fanfarev1.Payload_Text{Text: text}}
}

// JSON makes a payload of the text of one JSON value.
func JSON(text string) *Payload {
	return &Payload{Data: &fanfarev1.Payload_Json{Json: text}}
}

// Binary makes a payload of bytes. The type says how to read them: the full name of a Protobuf message, or a name of the game's own.
func Binary(typeName string, data []byte) *Payload {
	return &Payload{Type: typeName, Data: &fanfarev1.Payload_Binary{Binary: data}}
}

type channelKind uint8

const (
	kindPlayer channelKind = iota + 1
	kindGroup
	kindBroadcast
)

// Channel is where messages are sent. Channels can be compared, and be keys of a map.
type Channel struct {
	kind channelKind
	name string
}

// Player is the channel of one player.
func Player(id string) Channel { return Channel{kindPlayer, id} }

// Group is the channel of a group.
func Group(name string) Channel { return Channel{kindGroup, name} }

// Broadcast is the channel of everybody.
func Broadcast() Channel { return Channel{kind: kindBroadcast} }

// ChannelOf reads a channel of the wire. False: of a kind that this client does not know, or of none.
func ChannelOf(wire *fanfarev1.Channel) (Channel, bool) {
	switch kind := wire.GetKind().(type) {
	case *fanfarev1.Channel_Player:
		return Player(kind.Player), true
	case *fanfarev1.Channel_Group:
		return Group(kind.Group), true
	case *fanfarev1.Channel_Broadcast:
		return Broadcast(), kind.Broadcast
	default:
		return Channel{}, false
	}
}

// Wire is the channel as frames hold it.
func (c Channel) Wire() *fanfarev1.Channel {
	switch c.kind {
	case kindPlayer:
		return &fanfarev1.Channel{Kind: &fanfarev1.Channel_Player{Player: c.name}}
	case kindGroup:
		return &fanfarev1.Channel{Kind: &fanfarev1.Channel_Group{Group: c.name}}
	case kindBroadcast:
		return &fanfarev1.Channel{Kind: &fanfarev1.Channel_Broadcast{Broadcast: true}}
	default:
		return &fanfarev1.Channel{}
	}
}

func (c Channel) String() string {
	switch c.kind {
	case kindPlayer:
		return "player " + c.name
	case kindGroup:
		return "group " + c.name
	case kindBroadcast:
		return "broadcast"
	default:
		return "no channel"
	}
}

// Position is a place in the log of a durable channel: the state after the entry at Offset. Positions of different epochs cannot be compared.
type Position struct {
	Epoch, Offset uint64
	Tag           uint32
}

// PositionOf reads a position of the wire; nil stays nil.
func PositionOf(wire *fanfarev1.Position) *Position {
	if wire == nil {
		return nil
	}
	return &Position{Epoch: wire.GetEpoch(), Offset: wire.GetOffset(), Tag: wire.GetTag()}
}

// Wire is the position as frames hold it; nil stays nil.
func (p *Position) Wire() *fanfarev1.Position {
	if p == nil {
		return nil
	}
	return &fanfarev1.Position{Epoch: p.Epoch, Offset: p.Offset, Tag: p.Tag}
}

func (p Position) String() string { return fmt.Sprintf("%d:%d:%08x", p.Epoch, p.Offset, p.Tag) }
