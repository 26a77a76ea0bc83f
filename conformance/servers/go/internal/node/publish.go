package node

import (
	"math"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/rate"
	"fanfare.example/server/internal/sendqueue"
	"fanfare.example/server/internal/wire"
	"google.golang.org/protobuf/proto"
)

// maxChannelRates bounds the channels whose own rate a session is counted in; past it all are forgotten, which the rate of the session bounds.
const maxChannelRates = 1024

// publish handles a publish once, and answers each of its repeats as the first.
func (s *session) publish(publish *fanfarev1.Publish, hasID bool, features wire.Features) *fanfarev1.Reply {
	answer := s.repeats.answer(publish)
	if answer == nil {
		result, refused := s.deliver(publish)
		if refused != nil {
			answer = failed(refused)
		} else {
			answer = published(result)
		}
		s.repeats.handled(publish, answer, hasID)
	}
	if result := answer.GetPublishResult(); result != nil && (!publish.GetWantReport() || !features[wire.Report]) {
		answer = proto.CloneOf(answer)
		answer.GetPublishResult().Report = nil
	}
	return answer
}

// deliver admits a publish and puts it into the queue of each subscriber.
func (s *session) deliver(publish *fanfarev1.Publish) (*fanfarev1.PublishResult, *fanfarev1.Error) {
	key := keyOf(publish.GetChannel())
	if refused := s.mayPublish(key, "publish"); refused != nil {
		return nil, refused
	}
	if publish.GetConflationKey() != "" && !publish.GetVolatile() {
		return nil, failure(fanfarev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, "publish.conflation_key", "of volatile messages only")
	}
	rules, _ := s.app.rulesOf(key)
	limit := s.app.node.settings.Limits.GetMaxPayloadBytes()
	if rules.GetMaxPayloadBytes() > 0 {
		limit = min(limit, rules.GetMaxPayloadBytes())
	}
	if refused := tooLarge(publish.GetPayload(), limit, "publish.payload"); refused != nil {
		return nil, refused
	}
	now := s.app.node.now()
	if refused := s.admit(key, rules.GetPublishesPerSecond(), now); refused != nil {
		return nil, refused
	}

	message := &fanfarev1.Message{
		Channel:       publish.GetChannel(),
		Origin:        s.origin,
		Seq:           publish.GetSeq(),
		Payload:       publish.GetPayload(),
		From:          s.player.id,
		SentAtMs:      uint64(now.UnixMilli()),
		Volatile:      publish.GetVolatile(),
		ConflationKey: publish.GetConflationKey(),
	}
	frame := &outbound{
		frame:    &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Message{Message: message}},
		volatile: publish.GetVolatile(),
	}
	if publish.GetTtlMs() > 0 {
		message.ExpiresAtMs = message.GetSentAtMs() + uint64(publish.GetTtlMs())
		frame.expiresAt = time.UnixMilli(int64(message.GetExpiresAtMs()))
	}
	if publish.GetConflationKey() != "" {
		frame.conflation = sendqueue.ConflationKey{Origin: s.origin, Channel: key.field() + "/" + key.name, Key: publish.GetConflationKey()}
	}
	result := &fanfarev1.PublishResult{Outcome: fanfarev1.Outcome_OUTCOME_DELIVERED, Report: &fanfarev1.DeliveryReport{}}
	if key.kind == playerChannel && s.app.players[key.name] == nil {
		result.Outcome = fanfarev1.Outcome_OUTCOME_OFFLINE
		return result, nil
	}
	if channel := s.app.channels[key]; channel != nil {
		channel.send(frame, s, publish.GetExcludeSelf(), result.GetReport())
	}
	return result, nil
}

// send puts a message into the queue of each subscriber, and counts (FF-PB-016).
func (c *channel) send(frame *outbound, publisher *session, excludeSelf bool, report *fanfarev1.DeliveryReport) {
	for session := range c.subscribers {
		switch {
		case session == publisher && excludeSelf:
			report.Excluded++
		case session.connection == nil:
			report.Detached++
		case session.send(frame):
			report.Reached++
		case session.connection == nil:
			report.Detached++ // It was too slow for this message.
		}
	}
}

// admit takes a publish from the session's bucket and, where the namespace has a rate, from the channel's; from both or from none.
func (s *session) admit(key channelKey, perSecond uint32, now time.Time) *fanfarev1.Error {
	wait := s.publishes.Wait(1, now)
	var ofChannel *rate.Bucket
	if perSecond > 0 {
		ofChannel = s.channelRate(key, perSecond, now)
		wait = max(wait, ofChannel.Wait(1, now))
	}
	if wait > 0 {
		return rateLimited(wait)
	}
	s.publishes.Take(1, now)
	if ofChannel != nil {
		ofChannel.Take(1, now)
	}
	return nil
}

func (s *session) channelRate(key channelKey, perSecond uint32, now time.Time) *rate.Bucket {
	if s.channelRates[key] == nil {
		if len(s.channelRates) >= maxChannelRates {
			clear(s.channelRates)
		}
		s.channelRates[key] = rate.NewBucket(float64(perSecond), float64(perSecond), now)
	}
	return s.channelRates[key]
}

func rateLimited(wait time.Duration) *fanfarev1.Error {
	refused := failure(fanfarev1.ErrorCode_ERROR_CODE_RATE_LIMITED, "", "too many in a time")
	refused.RetryAfterMs = uint32(math.Ceil(float64(wait) / float64(time.Millisecond)))
	return refused
}

func failed(refused *fanfarev1.Error) *fanfarev1.Reply {
	return &fanfarev1.Reply{Result: &fanfarev1.Reply_Error{Error: refused}}
}
