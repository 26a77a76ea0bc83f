package wire

import (
	"fmt"
	"strings"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Violation is a field that breaks a bound of section 26.
type Violation struct {
	// Field is its path, from the kind of the frame on.
	Field string
	// Reason is a sentence for developers.
	Reason string
}

// CheckBounds finds the first field of a message that breaks a bound, or nothing. The bounds are read from the options of the proto files.
func CheckBounds(message protoreflect.Message, path string) *Violation {
	descriptor := message.Descriptor()
	for i := range descriptor.Oneofs().Len() {
		oneof := descriptor.Oneofs().Get(i)
		if proto.GetExtension(oneof.Options(), fanfarev1.E_Required).(bool) && message.WhichOneof(oneof) == nil {
			return &Violation{path + "." + string(oneof.Name()), "one of its members has to be set"}
		}
	}
	for i := range descriptor.Fields().Len() {
		field := descriptor.Fields().Get(i)
		name := path + "." + string(field.Name())
		bounds, _ := proto.GetExtension(field.Options(), fanfarev1.E_Bounds).(*fanfarev1.Bounds)
		if violation := checkField(message, field, bounds, name); violation != nil {
			return violation
		}
	}
	return nil
}

func checkField(message protoreflect.Message, field protoreflect.FieldDescriptor, bounds *fanfarev1.Bounds, name string) *Violation {
	if field.IsList() {
		return checkList(message.Get(field).List(), field, bounds, name)
	}
	present := message.Has(field)
	if !present && field.ContainingOneof() != nil {
		return nil
	}
	if !present && bounds.GetRequired() {
		return &Violation{name, "it is required"}
	}
	if field.Kind() == protoreflect.MessageKind {
		if !present {
			return nil
		}
		return CheckBounds(message.Get(field).Message(), name)
	}
	if bounds == nil {
		return nil
	}
	value := message.Get(field)
	if bounds.GetRequired() && field.Kind() == protoreflect.BoolKind && !value.Bool() {
		return &Violation{name, "it has to be true"}
	}
	if !present && bounds.MinLen == nil && bounds.Min == nil {
		return nil
	}
	return checkValue(value, field, bounds, name)
}

func checkList(list protoreflect.List, field protoreflect.FieldDescriptor, bounds *fanfarev1.Bounds, name string) *Violation {
	if bounds.GetMinItems() > 0 && list.Len() < int(bounds.GetMinItems()) {
		return &Violation{name, fmt.Sprintf("at least %d elements", bounds.GetMinItems())}
	}
	if bounds != nil && bounds.MaxItems != nil && list.Len() > int(bounds.GetMaxItems()) {
		return &Violation{name, fmt.Sprintf("at most %d elements", bounds.GetMaxItems())}
	}
	for i := range list.Len() {
		element := fmt.Sprintf("%s[%d]", name, i)
		var violation *Violation
		if field.Kind() == protoreflect.MessageKind {
			violation = CheckBounds(list.Get(i).Message(), element)
		} else if bounds != nil {
			violation = checkValue(list.Get(i), field, bounds, element)
		}
		if violation != nil {
			return violation
		}
	}
	return nil
}

func checkValue(value protoreflect.Value, field protoreflect.FieldDescriptor, bounds *fanfarev1.Bounds, name string) *Violation {
	switch field.Kind() {
	case protoreflect.StringKind:
		if !inCharset(value.String(), bounds.GetCharset()) {
			return &Violation{name, fmt.Sprintf("characters of %v alone", bounds.GetCharset())}
		}
		return checkLength(len(value.String()), bounds, name)
	case protoreflect.BytesKind:
		return checkLength(len(value.Bytes()), bounds, name)
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		if bounds.Min != nil && value.Uint() < uint64(bounds.GetMin()) {
			return &Violation{name, fmt.Sprintf("at least %d", bounds.GetMin())}
		}
		if bounds.Max != nil && value.Uint() > uint64(bounds.GetMax()) {
			return &Violation{name, fmt.Sprintf("at most %d", bounds.GetMax())}
		}
	}
	return nil
}

func checkLength(length int, bounds *fanfarev1.Bounds, name string) *Violation {
	if length < int(bounds.GetMinLen()) {
		return &Violation{name, fmt.Sprintf("at least %d bytes", bounds.GetMinLen())}
	}
	if bounds.MaxLen != nil && length > int(bounds.GetMaxLen()) {
		return &Violation{name, fmt.Sprintf("at most %d bytes", bounds.GetMaxLen())}
	}
	return nil
}

const identifier = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

func inCharset(text string, charset fanfarev1.Charset) bool {
	switch charset {
	case fanfarev1.Charset_CHARSET_NAME:
		return strings.Trim(text, identifier+":@/+=~") == ""
	case fanfarev1.Charset_CHARSET_IDENTIFIER:
		return strings.Trim(text, identifier) == ""
	case fanfarev1.Charset_CHARSET_VISIBLE:
		return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x21 || r > 0x7e })
	default:
		return true
	}
}
