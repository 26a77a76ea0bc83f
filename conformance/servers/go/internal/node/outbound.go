package node

import (
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/sendqueue"
	"fanfare.example/server/internal/wire"
)

// outbound is a frame on its way to one or many connections, encoded once for each subprotocol that needs it.
type outbound struct {
	frame      *fanfarev1.ServerFrame
	volatile   bool
	conflation sendqueue.ConflationKey
	expiresAt  time.Time
	encoded    map[*wire.Codec][]byte
}

func (o *outbound) item(codec *wire.Codec) sendqueue.Item {
	if o.encoded == nil {
		o.encoded = map[*wire.Codec][]byte{}
	}
	if o.encoded[codec] == nil {
		o.encoded[codec] = codec.Encode(o.frame)
	}
	return sendqueue.Item{Bytes: o.encoded[codec], Volatile: o.volatile, Conflation: o.conflation, ExpiresAt: o.expiresAt}
}

func replyFrame(id uint32, reply *fanfarev1.Reply) *outbound {
	return &outbound{frame: &fanfarev1.ServerFrame{Id: id, Kind: &fanfarev1.ServerFrame_Reply{Reply: reply}}}
}

func errorFrame(refused *fanfarev1.Error) *outbound {
	return &outbound{frame: &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Error{Error: refused}}}
}

func droppedFrame(count uint64) *fanfarev1.ServerFrame {
	return &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Dropped{Dropped: &fanfarev1.Dropped{Count: count}}}
}
