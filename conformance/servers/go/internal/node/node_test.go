package node

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/config"
	"fanfare.example/server/internal/wire"
	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"
)

const secret = "a secret of thirty-two bytes, at least"

// serve starts a node with generous rates and a send queue of 64 KiB.
func serve(t *testing.T) string {
	t.Helper()
	settings, err := config.Parse([]byte(`
limits: {publishesPerSecond: 1000000, publishBurst: 1000000, framesPerSecond: 1000000, bytesPerSecond: 1073741824, sendQueueBytes: 65536}
apps:
  - id: a
    playerAuth: {keys: [{id: k, algorithm: TOKEN_ALGORITHM_HS256, secret: "`+secret+`"}]}
    namespaces: [{name: open, rules: {subscribe: ACCESS_ANYONE, publish: ACCESS_ANYONE, presence: PRESENCE_MODE_MEMBERS}}]
`), config.Refuse)
	if err != nil {
		t.Fatal(err)
	}
	node := New(settings, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(node.Handler())
	t.Cleanup(func() {
		node.Close(t.Context())
		server.Close()
	})
	return "ws" + strings.TrimPrefix(server.URL, "http") + Path
}

func tokenOf(player string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","kid":"k"}`)) + "." +
		encode(fmt.Appendf(nil, `{"sub":%q,"app":"a","exp":%d}`, player, time.Now().Add(time.Hour).Unix()))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// client is a bare one: it reads nothing unless it is asked to.
type client struct {
	t       *testing.T
	ctx     context.Context
	socket  *websocket.Conn
	welcome *fanfarev1.Welcome
	frames  []*fanfarev1.ServerFrame
}

func connect(t *testing.T, url, player string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	socket, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{wire.Binary.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	socket.SetReadLimit(-1)
	c := &client{t: t, ctx: ctx, socket: socket}
	c.send(&fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Hello{Hello: &fanfarev1.Hello{
		Token:    tokenOf(player),
		Attempt:  1,
		Features: []string{wire.Resume, wire.Report},
		Subscriptions: []*fanfarev1.Subscribe{
			{Channel: &fanfarev1.Channel{Kind: &fanfarev1.Channel_Group{Group: "open:1"}}},
		},
	}}})
	frame, err := c.next()
	if err != nil || frame.GetWelcome() == nil {
		t.Fatalf("got %v, %v in place of a welcome", frame, err)
	}
	c.welcome = frame.GetWelcome()
	return c
}

func (c *client) send(frame *fanfarev1.ClientFrame) {
	c.t.Helper()
	data, err := proto.Marshal(&fanfarev1.ClientFrames{Frames: []*fanfarev1.ClientFrame{frame}})
	if err != nil {
		c.t.Error(err)
		return
	}
	if err := c.socket.Write(c.ctx, websocket.MessageBinary, data); err != nil {
		c.t.Error(err)
	}
}

// publish sends to the group, and asks for a report if the id is not 0.
func (c *client) publish(id uint32, seq uint64, bytes int, volatile, excludeSelf bool) {
	c.t.Helper()
	c.send(&fanfarev1.ClientFrame{Id: id, Kind: &fanfarev1.ClientFrame_Publish{Publish: &fanfarev1.Publish{
		Channel:     &fanfarev1.Channel{Kind: &fanfarev1.Channel_Group{Group: "open:1"}},
		Payload:     &fanfarev1.Payload{Data: &fanfarev1.Payload_Binary{Binary: make([]byte, bytes)}},
		Seq:         seq,
		Volatile:    volatile,
		ExcludeSelf: excludeSelf,
		WantReport:  id != 0,
	}}})
}

func (c *client) next() (*fanfarev1.ServerFrame, error) {
	for len(c.frames) == 0 {
		_, data, err := c.socket.Read(c.ctx)
		if err != nil {
			return nil, err
		}
		var frames fanfarev1.ServerFrames
		if err := proto.Unmarshal(data, &frames); err != nil {
			return nil, err
		}
		if len(frames.GetFrames()) > 1 && len(data) >= 65_536 {
			c.t.Errorf("%d frames in %d bytes (FF-TR-011)", len(frames.GetFrames()), len(data))
		}
		c.frames = frames.GetFrames()
	}
	frame := c.frames[0]
	c.frames = c.frames[1:]
	return frame, nil
}

// report waits for the answer to a publish.
func (c *client) report(id uint32) *fanfarev1.DeliveryReport {
	c.t.Helper()
	for {
		frame, err := c.next()
		if err != nil {
			c.t.Fatal(err)
		}
		if frame.GetId() == id && frame.GetReply() != nil {
			return frame.GetReply().GetPublishResult().GetReport()
		}
	}
}

func TestConcurrentPublishersKeepTheirOrder(t *testing.T) {
	const players, messages = 6, 100
	url := serve(t)
	clients := make([]*client, players)
	for i := range clients {
		clients[i] = connect(t, url, fmt.Sprintf("p%d", i))
	}
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			for seq := range uint64(messages) {
				c.publish(0, seq+1, 10, false, false)
			}
		})
		running.Go(func() {
			last := map[uint64]uint64{}
			for range players * messages {
				frame, err := c.next()
				if err != nil {
					t.Error(err)
					return
				}
				message := frame.GetMessage()
				if message.GetSeq() != last[message.GetOrigin()]+1 {
					t.Errorf("after %d of %x came %d (FF-OR-001)", last[message.GetOrigin()], message.GetOrigin(), message.GetSeq())
					return
				}
				last[message.GetOrigin()] = message.GetSeq()
			}
		})
	}
	running.Wait()
}

func TestASlowReaderIsClosedAndDelaysNobody(t *testing.T) {
	url := serve(t)
	slow, fast := connect(t, url, "slow"), connect(t, url, "fast")
	id := uint32(0)
	for {
		id++
		fast.publish(id, uint64(id), 32_000, false, true)
		if report := fast.report(id); report.GetDetached() == 1 {
			break // FF-SL-006: closed with 4100, and detached.
		}
	}
	for {
		if _, err := slow.next(); err != nil {
			if got := websocket.CloseStatus(err); got != websocket.StatusCode(fanfarev1.CloseCode_CLOSE_CODE_SLOW_CONSUMER) {
				t.Errorf("closed with %v: %v", got, err)
			}
			return
		}
	}
}

func TestASlowReaderIsToldWhatWasDropped(t *testing.T) {
	url := serve(t)
	slow, fast := connect(t, url, "slow"), connect(t, url, "fast")
	// Past what the sockets between hold, the queue begins to drop. The last one is live and comes behind everything.
	const sent = 1000
	for id := range uint32(sent) {
		fast.publish(id+1, uint64(id)+1, 32_000, true, true)
		if report := fast.report(id + 1); report.GetReached() != 1 {
			t.Fatalf("message %d: %v", id+1, report)
		}
	}
	fast.publish(sent+1, sent+1, 10, false, true)
	received, dropped := 0, 0
	for {
		frame, err := slow.next()
		if err != nil {
			t.Fatal(err)
		}
		dropped += int(frame.GetDropped().GetCount())
		if message := frame.GetMessage(); message.GetVolatile() {
			received++
		} else if message != nil {
			break
		}
	}
	if dropped == 0 || received+dropped != sent {
		t.Errorf("%d received and %d dropped of %d (FF-SL-003, FF-SL-004)", received, dropped, sent)
	}
}
