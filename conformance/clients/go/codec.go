package fanfare

import (
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	// SubprotocolBinary has frames as Protobuf in binary messages.
	SubprotocolBinary = "fanfare.v1.proto"
	// SubprotocolJSON has frames by Protobuf's JSON mapping in text messages.
	SubprotocolJSON = "fanfare.v1.json"
)

// codec is the form of frames on a connection.
type codec struct {
	isText bool
	// readLimit is the largest message of a server (FF-TR-012).
	readLimit int64
	marshal   func(proto.Message) ([]byte, error)
	unmarshal func([]byte, proto.Message) error
}

// codecs are those of the subprotocols. What is not known in JSON is ignored, members as well as names of enum values (FF-JS-005).
var codecs = map[string]*codec{
	SubprotocolBinary: {false, 2 << 20, proto.Marshal, proto.Unmarshal},
	SubprotocolJSON:   {true, 8 << 20, protojson.Marshal, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal},
}
