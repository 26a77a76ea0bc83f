package fanfare

import (
	"context"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// PublishOptions say how to publish a message.
type PublishOptions struct {
	// TTL is how long the message is of use; 0: without end.
	TTL time.Duration
	// ExcludeSelf does not send it to this session.
	ExcludeSelf bool
	// WantReport asks for Published.Report, where the feature is in force.
	WantReport bool
	// ConflationKey, for Send alone: a newer message of the same key replaces one that is not sent yet.
	ConflationKey string
}

// Published is what became of a message.
type Published struct {
	// Outcome is UNSPECIFIED of a message that was refused or never sent, and UNKNOWN of one that was sent and not answered.
	Outcome fanfarev1.Outcome
	// Position is where it is stored in a durable channel.
	Position *Position
	// Repeated: it was sent more than once, and handled once.
	Repeated bool
	// Report says who was reached, if that was asked for; it may be nil.
	Report *fanfarev1.DeliveryReport
}

// Publish sends a message and waits until the server says what became of it, through reconnects. It fails unless that is DELIVERED, STORED or
// OFFLINE; Published.Outcome is filled also then. When the context ends, a message that waits to be sent is not sent any more.
func (c *Client) Publish(ctx context.Context, channel Channel, payload *Payload, options PublishOptions) (Published, error) {
	return c.StartPublish(channel, payload, options).Wait(ctx)
}

// StartPublish is Publish without waiting. Messages are sent in the order in which they are started. The payload must not be changed before the
// result is there.
func (c *Client) StartPublish(channel Channel, payload *Payload, options PublishOptions) *Pending[Published] {
	r := &request{frame: publishFrame(channel, payload, options)}
	return begin(c.loop, r, func(reply *fanfarev1.Reply, err error) (Published, error) {
		return publishedOf(reply.GetPublishResult(), err, r.sent && !r.refused)
	})
}

// Send sends a volatile message, without an answer. It fails with ErrDropped if the message cannot be sent at once.
func (c *Client) Send(channel Channel, payload *Payload, options PublishOptions) error {
	frame := publishFrame(channel, payload, options)
	frame.GetPublish().Volatile = true
	frame.GetPublish().ConflationKey = options.ConflationKey
	result := make(chan error, 1)
	if !c.loop.post(func() { result <- c.loop.sendVolatile(frame) }) {
		return c.loop.cause
	}
	return <-result
}

func publishFrame(channel Channel, payload *Payload, options PublishOptions) *fanfarev1.ClientFrame {
	return &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Publish{Publish: &fanfarev1.Publish{
		Channel:     channel.Wire(),
		Payload:     payload,
		Seq:         1, // until it is sent
		TtlMs:       uint32(min(options.TTL.Milliseconds(), 1<<32-1)),
		ExcludeSelf: options.ExcludeSelf,
		WantReport:  options.WantReport,
	}}}
}

// publishedOf reads what became of a message. inDoubt: without a result, it may have been handled.
func publishedOf(result *fanfarev1.PublishResult, err error, inDoubt bool) (Published, error) {
	if err != nil && inDoubt {
		return Published{Outcome: fanfarev1.Outcome_OUTCOME_UNKNOWN}, err
	}
	if err != nil {
		return Published{}, err
	}
	published := Published{
		Outcome:  result.GetOutcome(),
		Position: PositionOf(result.GetPosition()),
		Repeated: result.GetRepeated(),
		Report:   result.GetReport(),
	}
	switch result.GetOutcome() {
	case fanfarev1.Outcome_OUTCOME_DELIVERED, fanfarev1.Outcome_OUTCOME_STORED, fanfarev1.Outcome_OUTCOME_OFFLINE:
		return published, nil
	}
	if result.GetError() != nil {
		return published, errorOf(result.GetError())
	}
	return published, failure(fanfarev1.ErrorCode_ERROR_CODE_INTERNAL, "the outcome is %v", result.GetOutcome())
}
