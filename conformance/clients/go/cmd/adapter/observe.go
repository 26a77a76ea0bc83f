package main

import (
	"context"
	"errors"

	fanfare "fanfare.example/client"
	conformance "fanfare.example/client/gen/fanfare/conformance/v1alpha"
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// observe reports what comes out of the client until it is closed.
func (p *play) observe(client *fanfare.Client) {
	for {
		event, err := client.Next(context.Background())
		if err != nil {
			return
		}
		p.note(event)
		if one := reportOf(event); one != nil {
			p.report(one)
		}
	}
}

// note remembers up to where everything was handed over.
func (p *play) note(event fanfare.Event) {
	channel, position := fanfare.Channel{}, (*fanfare.Position)(nil)
	switch e := event.(type) {
	case fanfare.Message:
		channel, position = e.Channel, e.Position
	case fanfare.CaughtUp:
		channel, position = e.Channel, e.Position
	}
	if position != nil {
		p.handledMu.Lock()
		defer p.handledMu.Unlock()
		p.handled[channel] = *position
	}
}

// reportOf is what the runner is told of an event; nil: nothing.
func reportOf(event fanfare.Event) *report {
	switch e := event.(type) {
	case fanfare.Connecting:
		return status(conformance.ConnectionState_CONNECTION_STATE_CONNECTING, e.Err, false)
	case fanfare.Connected:
		return status(conformance.ConnectionState_CONNECTION_STATE_CONNECTED, nil, e.Resumed)
	case fanfare.Closed:
		return status(conformance.ConnectionState_CONNECTION_STATE_CLOSED, e.Err, false)
	case fanfare.Message:
		return &report{Report: &conformance.ClientReport_Received{Received: received(e)}}
	case fanfare.Gap:
		return &report{Report: &conformance.ClientReport_Gap{Gap: &conformance.ToldGap{
			Channel: e.Channel.Wire(), Reason: e.Reason, From: e.From.Wire(), To: e.To.Wire(), Missed: e.Missed,
		}}}
	case fanfare.Opened:
		return &report{Report: &conformance.ClientReport_Opened{Opened: &conformance.ToldOpened{Channel: e.Channel.Wire()}}}
	case fanfare.Ended:
		return &report{Report: &conformance.ClientReport_Closed{Closed: &conformance.ToldClosed{
			Channel: e.Channel.Wire(), Reason: e.Reason,
		}}}
	case fanfare.CaughtUp:
		return &report{Report: &conformance.ClientReport_CaughtUp{CaughtUp: &conformance.ToldCaughtUp{
			Channel: e.Channel.Wire(), Position: e.Position.Wire(),
		}}}
	case fanfare.Dropped:
		return &report{Report: &conformance.ClientReport_Dropped{Dropped: &conformance.ToldDropped{Count: e.Count}}}
	default:
		return nil
	}
}

func status(state conformance.ConnectionState, err error, resumed bool) *report {
	told := &conformance.Status{State: state, Resumed: resumed}
	var ended *fanfare.ConnectionError
	if errors.As(err, &ended) {
		told.CloseCode = uint32(ended.Code)
	}
	return &report{Report: &conformance.ClientReport_Status{Status: told}}
}

func received(message fanfare.Message) *conformance.Received {
	return &conformance.Received{
		Channel:  message.Channel.Wire(),
		Payload:  message.Payload,
		Volatile: message.Volatile,
		From:     message.From,
		Position: message.Position.Wire(),
		Origin:   message.Origin,
	}
}

func wireSubscribed(s fanfare.Subscribed) *fanfarev1.Subscribed {
	class := fanfarev1.DeliveryClass_DELIVERY_CLASS_LIVE
	if s.Durable {
		class = fanfarev1.DeliveryClass_DELIVERY_CLASS_DURABLE
	}
	return &fanfarev1.Subscribed{
		DeliveryClass: class,
		Position:      s.Position.Wire(),
		Head:          s.Head.Wire(),
		Cursor:        s.Cursor.Wire(),
		Recovered:     s.Recovered,
		ByServer:      s.ByServer,
	}
}

// channelOf reads a channel of a command; an unknown kind becomes the zero value, which the client refuses.
func channelOf(wire *fanfarev1.Channel) fanfare.Channel {
	channel, _ := fanfare.ChannelOf(wire)
	return channel
}

// wireError is why a command failed.
func wireError(err error) *fanfarev1.Error {
	var refused *fanfare.Error
	switch {
	case errors.As(err, &refused):
		return &fanfarev1.Error{Code: refused.Code, Message: refused.Message, Field: refused.Field}
	case errors.Is(err, context.DeadlineExceeded):
		return &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED, Message: err.Error()}
	case errors.Is(err, fanfare.ErrClosed):
		return &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_CANCELLED, Message: err.Error()}
	default:
		return &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_UNAVAILABLE, Message: err.Error()}
	}
}
