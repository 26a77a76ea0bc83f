package fanfare

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// fakeNetwork is what the client dials in tests: every connection waits in dialled for the test to play its server. Tests run in a bubble of
// testing/synctest, so that time passes only while everybody waits.
type fakeNetwork struct {
	t       *testing.T
	client  *Client
	dialled chan *fakeConnection
}

// fakeConnection is one connection, seen from the server.
type fakeConnection struct {
	t     *testing.T
	url   string
	to    observer
	at    time.Time
	sent  chan *fanfarev1.ClientFrame
	ended chan struct{}
	code  fanfarev1.CloseCode // of the client's close
}

func inBubble(t *testing.T, config Config, test func(*testing.T, *fakeNetwork)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{t: t, dialled: make(chan *fakeConnection, 16)}
		config.URL = "ws://a.example/v1/connect"
		if config.Token == nil {
			config.Token = func(context.Context) (string, error) { return "token-1", nil }
		}
		if config.Features == nil {
			config.Features = Features
		}
		n.client = newClient(config, n.dial, func() float64 { return 1 })
		test(t, n)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = n.client.Close(ctx)
		<-n.client.loop.ended
	})
}

func (n *fakeNetwork) dial(url string, after <-chan struct{}, to observer) transport {
	c := &fakeConnection{
		t: n.t, url: url, to: to, at: time.Now(), sent: make(chan *fanfarev1.ClientFrame, 2048), ended: make(chan struct{}),
	}
	if after != nil {
		select {
		case <-after:
		default:
			n.t.Error("[FF-BO-008] a connection is dialled beside the former one")
		}
	}
	n.dialled <- c
	return c
}

func (c *fakeConnection) send(message []byte) {
	var frames fanfarev1.ClientFrames
	if err := proto.Unmarshal(message, &frames); err != nil {
		c.t.Error(err)
	}
	for _, frame := range frames.GetFrames() {
		c.sent <- frame
	}
}

func (c *fakeConnection) queued() int { return 0 }

func (c *fakeConnection) close(code fanfarev1.CloseCode, _ string) {
	select {
	case <-c.ended:
	default:
		c.code = code
		close(c.ended)
	}
}

func (c *fakeConnection) gone() <-chan struct{} { return c.ended }

// connect connects the client in the background.
func (n *fakeNetwork) connect() <-chan error {
	connected := make(chan error, 1)
	go func() { connected <- n.client.Connect(n.t.Context()) }()
	return connected
}

// next is the connection that the client dials next, with its hello.
func (n *fakeNetwork) next() (*fakeConnection, *fanfarev1.Hello) {
	n.t.Helper()
	c := <-n.dialled
	go c.to.opened(codecs[SubprotocolBinary])
	hello := (<-c.sent).GetHello()
	if hello == nil {
		n.t.Fatal("[FF-HS-001] the first frame is no hello")
	}
	return c, hello
}

// start connects the client and welcomes it to the session "s".
func (n *fakeNetwork) start(change ...func(*fanfarev1.Welcome)) *fakeConnection {
	n.t.Helper()
	connected := n.connect()
	c, hello := n.next()
	c.welcome(hello, change...)
	if err := <-connected; err != nil {
		n.t.Fatal(err)
	}
	return c
}

// welcome agrees to everything and opens what the hello names and broadcast.
func (c *fakeConnection) welcome(hello *fanfarev1.Hello, change ...func(*fanfarev1.Welcome)) {
	w := &fanfarev1.Welcome{
		SessionId:           "s",
		Origin:              11,
		ResumeSecret:        fmt.Sprintf("secret-%d", hello.GetAttempt()),
		Attempt:             hello.GetAttempt(),
		ServerTimeUs:        uint64(time.Now().UnixMicro()),
		HeartbeatIntervalMs: 3_600_000,
		HeartbeatTimeoutMs:  10_000,
		Limits:              &fanfarev1.Limits{MaxFrameBytes: 65_536, MaxPendingRequests: 64},
		Features:            hello.GetFeatures(),
		TokenExpiresAtMs:    uint64(time.Now().Add(1000 * time.Hour).UnixMilli()),
		Resumed:             hello.GetResume() != nil,
		Revision:            1,
		ReconnectWindowMs:   500,
	}
	for _, ask := range hello.GetSubscriptions() {
		told := &fanfarev1.Subscribed{DeliveryClass: fanfarev1.DeliveryClass_DELIVERY_CLASS_LIVE}
		if ask.GetAfter() != nil {
			told = durableAt(ask.GetAfter())
		}
		w.Subscriptions = append(w.Subscriptions, subscribedTo(ask.GetChannel(), told))
	}
	w.Subscriptions = append(w.Subscriptions, subscribedTo(Broadcast().Wire(), &fanfarev1.Subscribed{ByServer: true}))
	for _, f := range change {
		f(w)
	}
	c.tell(&fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Welcome{Welcome: w}})
}

func durableAt(position *fanfarev1.Position) *fanfarev1.Subscribed {
	return &fanfarev1.Subscribed{
		DeliveryClass: fanfarev1.DeliveryClass_DELIVERY_CLASS_DURABLE, Position: position, Head: position, Recovered: true,
	}
}

func subscribedTo(channel *fanfarev1.Channel, told *fanfarev1.Subscribed) *fanfarev1.SubscriptionResult {
	return &fanfarev1.SubscriptionResult{Channel: channel, Result: &fanfarev1.SubscriptionResult_Subscribed{Subscribed: told}}
}

// tell sends frames to the client, and returns when it has handled them.
func (c *fakeConnection) tell(frames ...*fanfarev1.ServerFrame) {
	message, err := proto.Marshal(&fanfarev1.ServerFrames{Frames: frames})
	if err != nil {
		c.t.Fatal(err)
	}
	c.to.received(message, false)
	synctest.Wait()
}

func (c *fakeConnection) reply(id uint32, reply *fanfarev1.Reply) {
	c.tell(&fanfarev1.ServerFrame{Id: id, Kind: &fanfarev1.ServerFrame_Reply{Reply: reply}})
}

func (c *fakeConnection) delivered(id uint32) {
	c.reply(id, &fanfarev1.Reply{Result: &fanfarev1.Reply_PublishResult{
		PublishResult: &fanfarev1.PublishResult{Outcome: fanfarev1.Outcome_OUTCOME_DELIVERED},
	}})
}

func (c *fakeConnection) subscribed(id uint32, told *fanfarev1.Subscribed) {
	c.reply(id, &fanfarev1.Reply{Result: &fanfarev1.Reply_Subscribed{Subscribed: told}})
}

// end ends the connection with a code, 0 for none.
func (c *fakeConnection) end(code int) {
	c.close(0, "")
	c.to.ended(ending{code: code})
	synctest.Wait()
}

// frames are those that the client has sent since they were asked for last.
func (c *fakeConnection) frames() []*fanfarev1.ClientFrame {
	synctest.Wait()
	var all []*fanfarev1.ClientFrame
	for len(c.sent) > 0 {
		all = append(all, <-c.sent)
	}
	return all
}

// texts are the payloads of the publishes among frames, with their seq.
func texts(frames []*fanfarev1.ClientFrame) []string {
	var all []string
	for _, frame := range frames {
		if p := frame.GetPublish(); p != nil {
			all = append(all, fmt.Sprintf("%s %d", p.GetPayload().GetText(), p.GetSeq()))
		}
	}
	return all
}

// events are those of the client since they were asked for last, but Connecting and Connected.
func (n *fakeNetwork) events() []Event {
	synctest.Wait()
	var all []Event
	for len(n.client.loop.events.items) > 0 {
		event, err := n.client.Next(n.t.Context())
		if err != nil {
			n.t.Fatal(err)
		}
		switch event.(type) {
		case Connecting, Connected:
		default:
			all = append(all, event)
		}
	}
	return all
}

// heard are the texts of the messages among events, and the other events by their type.
func heard(events []Event) []string {
	var all []string
	for _, event := range events {
		if message, ok := event.(Message); ok {
			all = append(all, message.Payload.GetText())
		} else {
			all = append(all, fmt.Sprintf("%T", event)[len("fanfare."):])
		}
	}
	return all
}

func (n *fakeNetwork) want(what string, got, want []string) {
	n.t.Helper()
	if !slices.Equal(got, want) {
		n.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// message is one of origin 5.
func message(channel Channel, seq uint64, text string) *fanfarev1.ServerFrame {
	return &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Message{Message: &fanfarev1.Message{
		Channel: channel.Wire(), Origin: 5, Seq: seq, Payload: Text(text),
	}}}
}

// entry is a message at an offset whose tag is the same number.
func entry(channel Channel, offset uint64) *fanfarev1.ServerFrame {
	frame := message(channel, offset, fmt.Sprintf("n%d", offset))
	frame.GetMessage().Log = &fanfarev1.LogEntry{Offset: offset, Tag: uint32(offset), PreviousTag: uint32(offset - 1)}
	return frame
}

func goaway(afterMs uint32, url string) *fanfarev1.ServerFrame {
	return &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Goaway{Goaway: &fanfarev1.Goaway{
		DeadlineMs: 30_000, ReconnectAfterMs: afterMs, Url: url,
	}}}
}

func handedOver() *fanfarev1.ServerFrame {
	return &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_HandedOver{HandedOver: &fanfarev1.HandedOver{}}}
}
