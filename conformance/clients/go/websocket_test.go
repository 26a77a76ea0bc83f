package fanfare

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"github.com/coder/websocket"
)

// witness is an observer that passes on what it is told.
type witness struct {
	open     chan struct{}
	messages chan string
	end      chan ending
}

func (w *witness) opened(*codec)                        { w.open <- struct{}{} }
func (w *witness) received(message []byte, isText bool) { w.messages <- string(message) }
func (w *witness) ended(e ending)                       { w.end <- e }

// dialled serves WebSockets with a function and dials one.
func dialled(t *testing.T, serve func(*websocket.Conn)) (transport, *witness) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{SubprotocolBinary}})
		if err != nil {
			t.Error(err)
			return
		}
		defer socket.CloseNow()
		serve(socket)
	}))
	t.Cleanup(server.Close)
	return dial(server.URL)
}

func dial(httpURL string) (transport, *witness) {
	w := &witness{open: make(chan struct{}, 1), messages: make(chan string, 8), end: make(chan ending, 1)}
	return dialWebSocket(nil, []string{SubprotocolBinary})("ws"+strings.TrimPrefix(httpURL, "http")+"/v1/connect", nil, w), w
}

func TestMessagesGoBothWays(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	transport, seen := dialled(t, func(socket *websocket.Conn) {
		socket.SetReadLimit(-1)
		for range 2 {
			kind, message, err := socket.Read(t.Context())
			if err != nil || kind != websocket.MessageBinary {
				t.Errorf("%v, %v", kind, err)
			}
			if err := socket.Write(t.Context(), kind, append(message, '!')); err != nil {
				t.Error(err)
			}
		}
		_, _, err := socket.Read(t.Context())
		if code := websocket.CloseStatus(err); code != 4000 {
			t.Errorf("closed with %v", err)
		}
	})
	<-seen.open
	transport.send([]byte("one"))
	transport.send([]byte(large))
	if got := <-seen.messages; got != "one!" {
		t.Errorf("got %q", got)
	}
	if got := <-seen.messages; got != large+"!" {
		t.Errorf("[FF-TR-013] got %d bytes", len(got))
	}
	transport.close(fanfarev1.CloseCode_CLOSE_CODE_DISCONNECTED, "bye")
	<-seen.end
	<-transport.gone()
}

func TestACloseWithoutACode(t *testing.T) {
	codes := make(chan websocket.StatusCode, 1)
	transport, seen := dialled(t, func(socket *websocket.Conn) {
		_, _, err := socket.Read(t.Context())
		codes <- websocket.CloseStatus(err)
	})
	<-seen.open
	transport.close(0, "")
	if code := <-codes; code != websocket.StatusNoStatusRcvd {
		t.Errorf("[FF-SE-022] closed with %v", code)
	}
}

func TestTheServersCodeIsTold(t *testing.T) {
	_, seen := dialled(t, func(socket *websocket.Conn) { _ = socket.Close(4103, "slow down") })
	if e := <-seen.end; e.code != 4103 || e.err.Error() != "slow down" {
		t.Errorf("%+v", e)
	}
	_, seen = dialled(t, func(socket *websocket.Conn) { _ = socket.CloseNow() })
	if e := <-seen.end; e.code != 0 || e.err == nil {
		t.Errorf("%+v", e)
	}
}

func TestACloseDoesNotWaitForAServerThatIsGone(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	transport, seen := dialled(t, func(*websocket.Conn) { <-stuck })
	<-seen.open
	begun := time.Now()
	transport.close(fanfarev1.CloseCode_CLOSE_CODE_HEARTBEAT_TIMEOUT, "nothing was received")
	<-transport.gone()
	if waited := time.Since(begun); waited > 4*time.Second { // the library would wait for 5 s
		t.Errorf("[FF-HB-006] waited for %v", waited)
	}
}

func TestRefusals(t *testing.T) {
	refused := func(status int, header ...string) ending {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/connect" {
				t.Error("[FF-CL-005] a redirect is followed")
			}
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}))
		defer server.Close()
		_, seen := dial(server.URL)
		return <-seen.end
	}
	if e := refused(404); e.status != 404 {
		t.Errorf("%+v", e)
	}
	if e := refused(503, "Retry-After", "7"); e.status != 503 || e.retryAfter != 7*time.Second {
		t.Errorf("%+v", e)
	}
	if e := refused(302, "Location", "/elsewhere"); e.status != 302 {
		t.Errorf("%+v", e)
	}
}

func TestAServerThatSpeaksSomethingElse(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if socket, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = socket.Read(context.Background())
		}
	}))
	defer server.Close()
	_, seen := dial(server.URL)
	if e := <-seen.end; e.policy().reconnect != never {
		t.Errorf("%+v", e)
	}
}
