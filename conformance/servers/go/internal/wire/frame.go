package wire

import (
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Kind is what a client's frame is.
type Kind struct {
	// Name is that of the proto file; empty of a kind that this revision does not know, and of none.
	Name string
	// Feature has to be in force for it; empty in the core.
	Feature string
	// Body is the frame's message.
	Body protoreflect.Message
}

// KindOf reads the kind of a client's frame.
func KindOf(frame *fanfarev1.ClientFrame) Kind {
	message := frame.ProtoReflect()
	field := message.WhichOneof(message.Descriptor().Oneofs().ByName("kind"))
	if field == nil {
		return Kind{}
	}
	return Kind{string(field.Name()), featureOf(field), message.Get(field).Message()}
}

// IsRequest says whether a reply answers it. A frame of an unknown kind is taken for one.
func (k Kind) IsRequest() bool {
	switch k.Name {
	case "hello", "ping", "pong", "rpc_result", "disconnect":
		return false
	default:
		return true
	}
}

// EndsSession says whether a session is over when its connection is closed with this code, by the policy that the proto file gives it.
func EndsSession(code fanfarev1.CloseCode) bool {
	value := code.Descriptor().Values().ByNumber(code.Number())
	if value == nil {
		return false
	}
	policy, _ := proto.GetExtension(value.Options(), fanfarev1.E_Close).(*fanfarev1.ClosePolicy)
	return policy.GetSessionEnds()
}
