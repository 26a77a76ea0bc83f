package fanfare

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"github.com/coder/websocket"
)

const (
	// writeLimit bounds what waits to be written; a connection that takes no more is given up.
	writeLimit = 8 << 20
	// closeGrace is how long a close waits for the peer's.
	closeGrace = 250 * time.Millisecond
	// mostRetryAfter bounds the header of a refusal (section 20).
	mostRetryAfter = 30 * time.Second
)

var errStalled = errors.New("the server reads nothing")

// webSocket is the transport of a real connection. One goroutine reads, another writes.
type webSocket struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	queue   [][]byte
	bytes   int
	closing *websocket.CloseError
	stalled bool
	wake    chan struct{}
}

// dialWebSocket makes a dialer that offers subprotocols. Redirects are not followed.
func dialWebSocket(client *http.Client, subprotocols []string) dialer {
	own := http.Client{}
	if client != nil {
		own = *client
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(url string, after <-chan struct{}, to observer) transport {
		ctx, cancel := context.WithCancel(context.Background())
		w := &webSocket{cancel: cancel, done: make(chan struct{}), wake: make(chan struct{}, 1)}
		go func() {
			defer cancel()
			if after != nil {
				<-after
			}
			ended := w.run(ctx, url, &websocket.DialOptions{HTTPClient: &own, Subprotocols: subprotocols}, to)
			close(w.done)
			to.ended(ended)
		}()
		return w
	}
}

func (w *webSocket) run(ctx context.Context, url string, options *websocket.DialOptions, to observer) ending {
	socket, response, err := websocket.Dial(ctx, url, options)
	if err != nil {
		return refusal(response, err)
	}
	defer func() { _ = socket.CloseNow() }()
	selected := codecs[socket.Subprotocol()]
	if selected == nil {
		// A server that speaks it selects it, and one that does not completes the upgrade with it and closes (FF-TR-003, FF-TR-004).
		_ = socket.Close(websocket.StatusCode(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR), "no subprotocol was selected")
		return ending{code: int(fanfarev1.CloseCode_CLOSE_CODE_UNSUPPORTED_SUBPROTOCOL), err: errors.New("this is no Fanfare server")}
	}
	socket.SetReadLimit(selected.readLimit)
	to.opened(selected)
	messageType := websocket.MessageBinary
	if selected.isText {
		messageType = websocket.MessageText
	}
	written := make(chan struct{})
	go func() { w.write(ctx, socket, messageType); close(written) }()
	for {
		kind, message, err := socket.Read(ctx)
		if err != nil {
			w.cancel()
			_ = socket.CloseNow() // a Close that came before this Read waits for an answer by a time of its own
			<-written
			return w.ending(err)
		}
		to.received(message, kind == websocket.MessageText)
	}
}

func (w *webSocket) ending(err error) ending {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stalled {
		err = errStalled
	}
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return ending{err: err}
	}
	return ending{code: int(closed.Code), err: errors.New(closed.Reason)}
}

func (w *webSocket) write(ctx context.Context, socket *websocket.Conn, messageType websocket.MessageType) {
	for {
		message, closing := w.take()
		switch {
		case message != nil:
			if socket.Write(ctx, messageType, message) != nil {
				w.cancel()
				return
			}
		case closing != nil:
			_ = socket.Close(closing.Code, closing.Reason)
			w.cancel()
			return
		default:
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (w *webSocket) take() ([]byte, *websocket.CloseError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, w.closing
	}
	message := w.queue[0]
	w.queue = w.queue[1:]
	w.bytes -= len(message)
	return message, nil
}

func (w *webSocket) send(message []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bytes+len(message) > writeLimit {
		w.stalled = true
		w.cancel()
		return
	}
	w.queue = append(w.queue, message)
	w.bytes += len(message)
	w.signal()
}

func (w *webSocket) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

func (w *webSocket) close(code fanfarev1.CloseCode, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing != nil {
		return
	}
	w.closing = &websocket.CloseError{Code: websocket.StatusCode(code), Reason: reason}
	if code == 0 {
		w.closing.Code = websocket.StatusNoStatusRcvd // which writes a close without a code
	}
	time.AfterFunc(closeGrace, w.cancel)
	w.signal()
}

func (w *webSocket) gone() <-chan struct{} { return w.done }

func (w *webSocket) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// refusal reads why there is no connection (FF-CL-005).
func refusal(response *http.Response, err error) ending {
	if response == nil || response.StatusCode == http.StatusSwitchingProtocols {
		return ending{err: err}
	}
	return ending{status: response.StatusCode, retryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()), err: err}
}

// retryAfter reads the header, in seconds or as a date.
func retryAfter(header string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(header); err == nil {
		wait = time.Duration(min(seconds, int(mostRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(header); err == nil {
		wait = date.Sub(now)
	}
	return max(0, min(wait, mostRetryAfter))
}
