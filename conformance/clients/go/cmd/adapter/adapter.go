package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	fanfare "fanfare.example/client"
	conformance "fanfare.example/client/gen/fanfare/conformance/v1alpha"
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

type (
	command = conformance.ClientCommand
	report  = conformance.ClientReport
	done    = conformance.Done
)

// adapter takes commands and writes reports.
type adapter struct {
	mu      sync.Mutex
	out     io.Writer
	present *play
}

// play is what an adapter does for one case: it commands one client and reports what it observes.
type play struct {
	adapter *adapter
	client  *fanfare.Client
	drops   *dropper

	handledMu sync.Mutex
	// handled is up to where everything of a durable channel was handed over.
	handled map[fanfare.Channel]fanfare.Position
}

func newAdapter(out io.Writer) *adapter {
	a := &adapter{out: out}
	a.present = newPlay(a)
	return a
}

func newPlay(a *adapter) *play {
	return &play{adapter: a, drops: newDropper(), handled: map[fanfare.Channel]fanfare.Position{}}
}

func (a *adapter) ready() {
	a.present.report(&report{Report: &conformance.ClientReport_Ready{Ready: &conformance.Ready{
		Client:   "fanfare-go",
		Features: fanfare.Features,
		Verbs: []string{
			"connect", "subscribe", "unsubscribe", "publish", "answer_rpc", "drop_transport", "close", "rpc", "history", "commit", "reset",
		},
		Subprotocols: []string{fanfare.SubprotocolBinary, fanfare.SubprotocolJSON},
	}}})
}

// report reports something of the present case; what belongs to a former one is not reported any more.
func (p *play) report(one *report) {
	p.adapter.mu.Lock()
	defer p.adapter.mu.Unlock()
	if p.adapter.present != p {
		return
	}
	if err := writeMessage(p.adapter.out, one); err != nil {
		fmt.Fprintln(os.Stderr, err) // the runner has gone
	}
}

// begin begins a command and returns; its end is reported when it comes. What the client sends in order is begun in order.
func (a *adapter) begin(c *command) {
	if c.GetReset_() != nil {
		a.reset()
	}
	p := a.present
	finish := p.start(c)
	go func() {
		result, err := finish(context.Background())
		if result == nil {
			result = &done{}
		}
		result.Id = c.GetId()
		if err != nil {
			result.Error = wireError(err)
		}
		p.report(&report{Report: &conformance.ClientReport_Done{Done: result}})
	}()
}

// reset begins anew, and lets the former client close by itself.
func (a *adapter) reset() {
	a.mu.Lock()
	former := a.present
	a.present = newPlay(a)
	a.mu.Unlock()
	if former.client != nil {
		go func() { _ = former.client.Close(context.Background()) }()
	}
}

// finish waits for what was begun.
type finish func(context.Context) (*done, error)

func (p *play) start(c *command) finish {
	if c.GetReset_() != nil {
		return succeeds
	}
	if c.GetConnect() == nil && p.client == nil {
		return fails(errors.New("connect comes first"))
	}
	switch verb := c.GetVerb().(type) {
	case *conformance.ClientCommand_Connect:
		return p.connect(verb.Connect)
	case *conformance.ClientCommand_Subscribe:
		return p.subscribe(verb.Subscribe)
	case *conformance.ClientCommand_Unsubscribe:
		pending := p.client.StartUnsubscribe(channelOf(verb.Unsubscribe.GetChannel()))
		return func(ctx context.Context) (*done, error) {
			_, err := pending.Wait(ctx)
			return nil, err
		}
	case *conformance.ClientCommand_Publish:
		return p.publish(verb.Publish)
	case *conformance.ClientCommand_AnswerRpc:
		p.client.Handle(verb.AnswerRpc.GetMethod(), answer(verb.AnswerRpc.GetPayload()))
		return succeeds
	case *conformance.ClientCommand_DropTransport:
		p.drops.drop()
		return succeeds
	case *conformance.ClientCommand_Close:
		client := p.client
		return func(ctx context.Context) (*done, error) { return nil, client.Close(ctx) }
	case *conformance.ClientCommand_Rpc:
		return p.call(verb.Rpc)
	case *conformance.ClientCommand_History:
		return p.history(verb.History)
	case *conformance.ClientCommand_Commit:
		return p.commit(verb.Commit)
	default:
		return fails(fmt.Errorf("%T is not served", verb))
	}
}

func succeeds(context.Context) (*done, error) { return nil, nil }

func fails(err error) finish {
	return func(context.Context) (*done, error) { return nil, err }
}

func (p *play) connect(c *conformance.ConnectCommand) finish {
	if former := p.client; former != nil { // a second one begins another client
		go func() { _ = former.Close(context.Background()) }()
	}
	tokens := c.GetTokens()
	p.client = fanfare.New(fanfare.Config{
		URL: c.GetUrl(),
		Token: func(context.Context) (string, error) {
			if len(tokens) == 0 {
				return "", errors.New("the command names no token")
			}
			token := tokens[0]
			if len(tokens) > 1 {
				tokens = tokens[1:]
			}
			return token, nil
		},
		AllowedOrigins: c.GetAllowedOrigins(),
		Subprotocols:   c.GetSubprotocols(),
		HTTPClient:     p.drops.client(),
	})
	client := p.client
	go p.observe(client)
	return func(ctx context.Context) (*done, error) { return nil, client.Connect(ctx) }
}

func (p *play) subscribe(c *conformance.SubscribeCommand) finish {
	if c.GetPresence() || c.GetPresenceData() != nil {
		return fails(errors.New("presence is not served"))
	}
	pending := p.client.StartSubscribe(channelOf(c.GetChannel()), fanfare.SubscribeOptions{
		After:  fanfare.PositionOf(c.GetAfter()),
		Rewind: c.GetRewind(),
		Cursor: c.GetCursor(),
		Head:   c.GetHead(),
	})
	return func(ctx context.Context) (*done, error) {
		subscribed, err := pending.Wait(ctx)
		return &done{Subscribed: wireSubscribed(subscribed)}, err
	}
}

func (p *play) publish(c *conformance.PublishCommand) finish {
	channel := channelOf(c.GetChannel())
	options := fanfare.PublishOptions{
		TTL:           time.Duration(c.GetTtlMs()) * time.Millisecond,
		ExcludeSelf:   c.GetExcludeSelf(),
		WantReport:    c.GetWantReport(),
		ConflationKey: c.GetConflationKey(),
	}
	if c.GetVolatile() {
		err := p.client.Send(channel, c.GetPayload(), options)
		if errors.Is(err, fanfare.ErrDropped) {
			err = nil // as it may be (FF-PB-017)
		}
		return func(context.Context) (*done, error) { return nil, err }
	}
	pending := p.client.StartPublish(channel, c.GetPayload(), options)
	return func(ctx context.Context) (*done, error) {
		ctx, cancel := within(ctx, c.GetDeadlineMs())
		defer cancel()
		published, err := pending.Wait(ctx)
		return &done{Published: &fanfarev1.PublishResult{
			Outcome:  published.Outcome,
			Position: published.Position.Wire(),
			Repeated: published.Repeated,
			Report:   published.Report,
		}}, err
	}
}

func answer(payload *fanfare.Payload) fanfare.Handler {
	return func(context.Context, *fanfare.Payload) (*fanfare.Payload, error) {
		if payload == nil {
			return nil, errors.New("the handler fails")
		}
		return payload, nil
	}
}

func (p *play) call(c *conformance.RpcCommand) finish {
	client := p.client
	return func(ctx context.Context) (*done, error) {
		ctx, cancel := within(ctx, c.GetDeadlineMs())
		defer cancel()
		result, err := client.Call(ctx, c.GetMethod(), c.GetPayload())
		return &done{Result: result}, err
	}
}

func (p *play) history(c *conformance.HistoryCommand) finish {
	client := p.client
	return func(ctx context.Context) (*done, error) {
		page, err := client.History(ctx, channelOf(c.GetChannel()), fanfare.HistoryQuery{
			From:    fanfare.PositionOf(c.GetFrom()),
			Forward: c.GetForward(),
			Limit:   c.GetLimit(),
		})
		history := &conformance.History{Next: page.Next.Wire(), Head: page.Head.Wire(), Tail: page.Tail.Wire()}
		for _, message := range page.Messages {
			history.Messages = append(history.Messages, received(message))
		}
		return &done{History: history}, err
	}
}

func (p *play) commit(c *conformance.CommitCommand) finish {
	channel := channelOf(c.GetChannel())
	position := fanfare.PositionOf(c.GetPosition())
	if position == nil {
		p.handledMu.Lock()
		handled, ok := p.handled[channel]
		p.handledMu.Unlock()
		if !ok {
			return fails(errors.New("nothing was handed over yet"))
		}
		position = &handled
	}
	client := p.client
	return func(ctx context.Context) (*done, error) {
		cursor, err := client.Commit(ctx, channel, *position)
		return &done{Cursor: cursor.Wire()}, err
	}
}

// within gives a command its deadline; 0 is none.
func within(ctx context.Context, deadlineMs uint32) (context.Context, context.CancelFunc) {
	if deadlineMs == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(deadlineMs)*time.Millisecond)
}
