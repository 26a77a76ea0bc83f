// Package fanfare is a small client of the Fanfare protocol, fanfare.v1.
//
// A Client keeps one session with a server: it connects, comes back after a lost connection, resumes, repeats what was not answered, and moves
// when the server sends it away. One goroutine owns all of its state; methods hand it what they want and wait. What the session receives comes
// out of Next in the order in which it happened.
package fanfare

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// Features are those that this client serves. Presence is not among them.
var Features = []string{"resume", "hand_over", "report", "server_rpc", "client_rpc", "durable", "history", "cursor"}

// Config says whom a client connects to, and as whom.
type Config struct {
	// URL begins with ws:// or wss://.
	URL string
	// Token gives a token of the player: the first one, and a new one whenever the former has expired, was revoked, or soon expires. The context
	// ends after 30 s and with the client. After an error the client backs off and asks again.
	Token func(context.Context) (string, error)
	// AllowedOrigins are origins to which a server may send the client away, such as wss://eu.game.example. The URL's own is always allowed.
	AllowedOrigins []string
	// Features to name to the server. Nil: all of Features.
	Features []string
	// Subprotocols to offer, by preference. Nil: SubprotocolBinary.
	Subprotocols []string
	// HTTPClient opens the WebSocket. Nil: http.DefaultTransport. Its CheckRedirect is not used: redirects are not followed.
	HTTPClient *http.Client
}

// Client is one session of a player.
type Client struct {
	loop *loop

	handlersMu sync.RWMutex
	handlers   map[string]Handler
}

// New makes a client. Close releases it.
func New(config Config) *Client {
	if config.Features == nil {
		config.Features = slices.Clone(Features)
	}
	if config.Subprotocols == nil {
		config.Subprotocols = []string{SubprotocolBinary}
	}
	return newClient(config, dialWebSocket(config.HTTPClient, config.Subprotocols), rand.Float64)
}

func newClient(config Config, dial dialer, jitter func() float64) *Client {
	c := &Client{handlers: map[string]Handler{}}
	c.loop = newLoop(config, dial, jitter, c.handler)
	go c.loop.run()
	return c
}

// Connect connects, and stays connected until Close or until the server says not to come back. It returns at the first welcome, or when the
// client gives up; when the context ends before, the client is closed. It is called once.
func (c *Client) Connect(ctx context.Context) error {
	welcomed := make(chan error, 1)
	if !c.loop.post(func() { c.loop.connect(func(err error) { welcomed <- err }) }) {
		return c.loop.cause
	}
	select {
	case err := <-welcomed:
		return err
	case <-ctx.Done():
		c.loop.post(func() { c.loop.shut(ctx.Err()) })
		<-c.loop.ended
		return ctx.Err()
	}
}

// Next waits for the next event. After Closed it fails with that event's error.
func (c *Client) Next(ctx context.Context) (Event, error) { return c.loop.events.next(ctx) }

// Close ends the session and releases the client. Publishes without an answer fail, and may have been delivered. When the context ends first, it
// does not wait for the server any more.
func (c *Client) Close(ctx context.Context) error {
	if !c.loop.post(c.loop.close) {
		return nil
	}
	select {
	case <-c.loop.ended:
		if former := c.loop.former; former != nil {
			<-former.gone()
		}
		return nil
	case <-ctx.Done():
		c.loop.post(func() { c.loop.shut(ErrClosed) })
		return ctx.Err()
	}
}

// SubscribeOptions say how to receive a channel.
type SubscribeOptions struct {
	// Where to begin in a durable channel, at most one. None: after the player's cursor, and without one at the head; a channel that is subscribed
	// already goes on where it is.
	After  *Position // after this position
	Rewind uint32    // with the last n messages
	Cursor bool      // after the player's cursor
	Head   bool      // with the next message
}

// Subscribe receives a channel from now on, through reconnects, until Unsubscribe or Ended. A second time begins it anew where the options say.
func (c *Client) Subscribe(ctx context.Context, channel Channel, options SubscribeOptions) (Subscribed, error) {
	return c.StartSubscribe(channel, options).Wait(ctx)
}

// StartSubscribe is Subscribe without waiting. Requests are sent in the order in which they are started.
func (c *Client) StartSubscribe(channel Channel, options SubscribeOptions) *Pending[Subscribed] {
	ask := &fanfarev1.Subscribe{Channel: channel.Wire()}
	switch {
	case options.After != nil:
		ask.Start = &fanfarev1.Subscribe_After{After: options.After.Wire()}
	case options.Rewind > 0:
		ask.Start = &fanfarev1.Subscribe_Rewind{Rewind: options.Rewind}
	case options.Cursor:
		ask.Start = &fanfarev1.Subscribe_Cursor{Cursor: true}
	case options.Head:
		ask.Start = &fanfarev1.Subscribe_Head{Head: true}
	}
	return begin(c.loop, c.loop.subscribeRequest(channel, ask), func(reply *fanfarev1.Reply, err error) (Subscribed, error) {
		return subscribedOf(reply.GetSubscribed()), err
	})
}

// Unsubscribe receives a channel no more.
func (c *Client) Unsubscribe(ctx context.Context, channel Channel) error {
	_, err := c.StartUnsubscribe(channel).Wait(ctx)
	return err
}

// StartUnsubscribe is Unsubscribe without waiting.
func (c *Client) StartUnsubscribe(channel Channel) *Pending[struct{}] {
	return begin(c.loop, c.loop.unsubscribeRequest(channel), func(_ *fanfarev1.Reply, err error) (struct{}, error) {
		return struct{}{}, err
	})
}
