package fanfare

import (
	"fmt"
	"strings"
	"unicode/utf8"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// checkBounds finds the first field of a message that a client must not send (FF-BD-001), or nothing. The bounds are read from the options of
// the proto files.
func checkBounds(message protoreflect.Message, path string) *Error {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := path + "." + string(field.Name())
		bounds, _ := proto.GetExtension(field.Options(), fanfarev1.E_Bounds).(*fanfarev1.Bounds)
		if err := checkField(message, field, bounds, name); err != nil {
			return err
		}
	}
	oneofs := message.Descriptor().Oneofs()
	for i := range oneofs.Len() {
		oneof := oneofs.Get(i)
		if proto.GetExtension(oneof.Options(), fanfarev1.E_Required).(bool) && message.WhichOneof(oneof) == nil {
			return broken(path+"."+string(oneof.Name()), "one of its members has to be set")
		}
	}
	return nil
}

func checkField(message protoreflect.Message, field protoreflect.FieldDescriptor, bounds *fanfarev1.Bounds, name string) *Error {
	switch {
	case field.IsList():
		return checkList(message.Get(field).List(), field, bounds, name)
	case !message.Has(field):
		inOneof := field.ContainingOneof() != nil
		if !inOneof && (bounds.GetRequired() || bounds.GetMinLen() > 0 || bounds.GetMin() > 0) {
			return broken(name, "it has to be set")
		}
		return nil
	default:
		return checkValue(message.Get(field), field, bounds, name)
	}
}

func checkList(list protoreflect.List, field protoreflect.FieldDescriptor, bounds *fanfarev1.Bounds, name string) *Error {
	if bounds != nil && bounds.MaxItems != nil && list.Len() > int(bounds.GetMaxItems()) {
		return broken(name, fmt.Sprintf("at most %d elements", bounds.GetMaxItems()))
	}
	for i := range list.Len() {
		if err := checkValue(list.Get(i), field, bounds, fmt.Sprintf("%s[%d]", name, i)); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(value protoreflect.Value, field protoreflect.FieldDescriptor, bounds *fanfarev1.Bounds, name string) *Error {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return checkBounds(value.Message(), name)
	case protoreflect.BoolKind:
		if bounds.GetRequired() && !value.Bool() {
			return broken(name, "it has to be true")
		}
	case protoreflect.StringKind:
		if !utf8.ValidString(value.String()) {
			return broken(name, "it is not UTF-8")
		}
		if strings.ContainsFunc(value.String(), outside(bounds.GetCharset())) {
			return broken(name, fmt.Sprintf("characters of %v alone", bounds.GetCharset()))
		}
		return checkLength(len(value.String()), bounds, name)
	case protoreflect.BytesKind:
		return checkLength(len(value.Bytes()), bounds, name)
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		number := value.Uint()
		if number < uint64(bounds.GetMin()) || bounds != nil && bounds.Max != nil && number > uint64(bounds.GetMax()) {
			return broken(name, fmt.Sprintf("%d to %d", bounds.GetMin(), bounds.GetMax()))
		}
	}
	return nil
}

func checkLength(length int, bounds *fanfarev1.Bounds, name string) *Error {
	if length < int(bounds.GetMinLen()) || bounds != nil && bounds.MaxLen != nil && length > int(bounds.GetMaxLen()) {
		return broken(name, fmt.Sprintf("%d to %d bytes", bounds.GetMinLen(), bounds.GetMaxLen()))
	}
	return nil
}

// outside tells the characters that are not of a charset.
func outside(charset fanfarev1.Charset) func(rune) bool {
	more := ""
	switch charset {
	case fanfarev1.Charset_CHARSET_NAME:
		more = "_-.:@/+=~"
	case fanfarev1.Charset_CHARSET_IDENTIFIER:
		more = "_-."
	case fanfarev1.Charset_CHARSET_VISIBLE:
		return func(r rune) bool { return r < 0x21 || r > 0x7e }
	default:
		return func(rune) bool { return false }
	}
	return func(r rune) bool {
		isAlphanumeric := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		return !isAlphanumeric && !strings.ContainsRune(more, r)
	}
}

func broken(field, reason string) *Error {
	return errorOf(&fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, Message: reason, Field: field})
}

// cut shortens a text to so many bytes, at the end of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
