package fanfare

import (
	"context"
	"errors"
	"fmt"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

var (
	// ErrClosed is what everything fails with once the application has closed the client.
	ErrClosed = errors.New("fanfare: the client is closed")
	// ErrDropped is what Send fails with where a volatile message cannot be sent at once.
	ErrDropped = errors.New("fanfare: the message cannot be sent at once, and is dropped")
)

// Error is why the server, or this client in its place, refused something.
type Error struct {
	// Code is INTERNAL where the server's is not known.
	Code fanfarev1.ErrorCode
	// Message is a sentence for developers.
	Message string
	// Field is the path of the field that was wrong, if one was.
	Field string
	// Retryable says that the same may succeed later, not before RetryAfter. The client does not try by itself.
	Retryable  bool
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	text := e.Code.String()
	if e.Field != "" {
		text += " " + e.Field
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// errorOf reads an error of the wire (FF-ER-001, FF-ER-002).
func errorOf(wire *fanfarev1.Error) *Error {
	e := &Error{Code: wire.GetCode(), Message: wire.GetMessage(), Field: wire.GetField()}
	if e.Code.Descriptor().Values().ByNumber(e.Code.Number()) == nil || e.Code == fanfarev1.ErrorCode_ERROR_CODE_UNSPECIFIED {
		e.Code = fanfarev1.ErrorCode_ERROR_CODE_INTERNAL
		return e
	}
	e.Retryable, e.RetryAfter = retryable(e.Code)
	if wire.GetRetryAfterMs() > 0 {
		e.RetryAfter = time.Duration(wire.GetRetryAfterMs()) * time.Millisecond
	}
	return e
}

// failure is an error of this client's own.
func failure(code fanfarev1.ErrorCode, format string, arguments ...any) *Error {
	return errorOf(&fanfarev1.Error{Code: code, Message: fmt.Sprintf(format, arguments...)})
}

// wireError is an error as frames hold it, within its bounds.
func wireError(err error) *fanfarev1.Error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return &fanfarev1.Error{Code: own.Code, Message: cut(own.Message, 1024), Field: cut(own.Field, 256)}
	case errors.Is(err, context.DeadlineExceeded):
		return &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED}
	default:
		return &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_INTERNAL, Message: cut(err.Error(), 1024)}
	}
}

// ConnectionError is why a connection ended, or was not made.
type ConnectionError struct {
	// Code is the close code, 0 without one.
	Code int
	// Status is the HTTP status of a refused upgrade, 0 without one.
	Status int
	// Err says more; it may be nil.
	Err error
}

func (e *ConnectionError) Error() string {
	switch {
	case e.Status != 0:
		return fmt.Sprintf("the upgrade was refused with status %d", e.Status)
	case e.Code != 0:
		return fmt.Sprintf("closed with %d: %v", e.Code, e.Err)
	default:
		return fmt.Sprintf("the connection failed: %v", e.Err)
	}
}

func (e *ConnectionError) Unwrap() error { return e.Err }
