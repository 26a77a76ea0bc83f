// Package wire reads and writes WebSocket messages, and holds frames to what the proto files say of them.
package wire

import (
	"bytes"
	"slices"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"github.com/coder/websocket"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Codec is one subprotocol's form of frames.
type Codec struct {
	// Subprotocol is its name.
	Subprotocol string
	// MessageType is the only type of WebSocket messages it takes.
	MessageType websocket.MessageType
	// Decode reads a WebSocket message of a client.
	Decode func([]byte) (*fanfarev1.ClientFrames, error)
	// Encode writes one frame, for Join.
	Encode func(*fanfarev1.ServerFrame) []byte
	// Join makes one WebSocket message of encoded frames.
	Join func([][]byte) []byte
}

// JoinedOverhead is more than Join puts around each frame, in bytes.
const JoinedOverhead = 16

// Binary is the subprotocol of Protobuf. An encoded frame is a ServerFrames of its own, so that joining is concatenation (FF-TR-010).
var Binary = &Codec{
	Subprotocol: "fanfare.v1.proto",
	MessageType: websocket.MessageBinary,
	Decode: func(data []byte) (*fanfarev1.ClientFrames, error) {
		var frames fanfarev1.ClientFrames
		return &frames, proto.Unmarshal(data, &frames)
	},
	Encode: func(frame *fanfarev1.ServerFrame) []byte {
		encoded, err := proto.Marshal(&fanfarev1.ServerFrames{Frames: []*fanfarev1.ServerFrame{frame}})
		return must(encoded, err)
	},
	Join: func(frames [][]byte) []byte { return slices.Concat(frames...) },
}

// JSON is the subprotocol of Protobuf's JSON mapping (section 23).
var JSON = &Codec{
	Subprotocol: "fanfare.v1.json",
	MessageType: websocket.MessageText,
	Decode: func(data []byte) (*fanfarev1.ClientFrames, error) {
		var frames fanfarev1.ClientFrames
		return &frames, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, &frames)
	},
	Encode: func(frame *fanfarev1.ServerFrame) []byte {
		return must(protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(frame))
	},
	Join: func(frames [][]byte) []byte {
		return slices.Concat([]byte(`{"frames":[`), bytes.Join(frames, []byte(",")), []byte("]}"))
	},
}

// Select finds the first offered subprotocol that is spoken here (FF-TR-003).
func Select(offered []string) *Codec {
	for _, name := range offered {
		switch name {
		case Binary.Subprotocol:
			return Binary
		case JSON.Subprotocol:
			return JSON
		}
	}
	return nil
}

// must is for messages of the server's own, which fail to encode only by a fault in this program.
func must(encoded []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return encoded
}
