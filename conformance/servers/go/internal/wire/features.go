package wire

import (
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Features are the features in force on a connection.
type Features map[string]bool

// The features that this server serves.
const (
	Resume   = "resume"
	Presence = "presence"
	Report   = "report"
)

// Negotiate keeps what this server serves of the names in a hello, each once (FF-HS-011, FF-HS-012).
func Negotiate(offered []string) (Features, []string) {
	features, names := Features{}, []string{}
	for _, name := range offered {
		if (name == Resume || name == Presence || name == Report) && !features[name] {
			features[name] = true
			names = append(names, name)
		}
	}
	return features, names
}

// Strip clears every field whose feature is not in force, as if it were not set (FF-FR-017).
func Strip(message protoreflect.Message, features Features) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if feature := featureOf(field); feature != "" && !features[feature] {
			message.Clear(field)
			return true
		}
		if field.Kind() != protoreflect.MessageKind {
			return true
		}
		if field.IsList() {
			for i := range value.List().Len() {
				Strip(value.List().Get(i).Message(), features)
			}
			return true
		}
		Strip(value.Message(), features)
		return true
	})
}

func featureOf(field protoreflect.FieldDescriptor) string {
	return proto.GetExtension(field.Options(), fanfarev1.E_Feature).(string)
}
