package fanfare

import (
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// transport carries one connection's messages. Nothing in it waits.
type transport interface {
	// send queues a message of the selected subprotocol.
	send(message []byte)
	// queued is how many bytes wait to be written.
	queued() int
	// close sends what is queued and then a close with this code, 0 for none. It does not wait long for the peer's.
	close(code fanfarev1.CloseCode, reason string)
	// gone is closed when the transport is.
	gone() <-chan struct{}
}

// observer is told what happens on a transport, in its order, by a goroutine of the transport.
type observer interface {
	opened(selected *codec)
	received(message []byte, isText bool)
	// ended is called once, and last.
	ended(ending)
}

// dialer opens a transport to a URL once the channel is closed; nil is no channel to wait for.
type dialer func(url string, after <-chan struct{}, to observer) transport

// ending is how a transport ended.
type ending struct {
	code       int // the close code; 0: none
	status     int // the HTTP status of a refused upgrade; 0: none
	retryAfter time.Duration
	err        error
}

func (e ending) policy() policy {
	if e.status == 0 {
		return closePolicy(e.code)
	}
	p := statusPolicy(e.status)
	p.least = max(p.least, e.retryAfter)
	return p
}

func (e ending) asError() *ConnectionError {
	return &ConnectionError{Code: e.code, Status: e.status, Err: e.err}
}
