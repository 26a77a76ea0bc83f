package node

import (
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// repeats knows which publishes of a session were handled, and what was answered to the last ones (section 8).
type repeats struct {
	limit   int
	highest map[bool]uint64 // by volatile
	order   []uint64
	answers map[uint64]*fanfarev1.Reply
}

func newRepeats(limit int) *repeats {
	return &repeats{limit: limit, highest: map[bool]uint64{}, answers: map[uint64]*fanfarev1.Reply{}}
}

// answer finds what to say to a repeat (FF-ID-009, FF-ID-011, FF-ID-013); nothing of a publish that is new. A first that was volatile or had
// no id is not remembered.
func (r *repeats) answer(publish *fanfarev1.Publish) *fanfarev1.Reply {
	if publish.GetSeq() > r.highest[publish.GetVolatile()] {
		return nil
	}
	first := r.answers[publish.GetSeq()]
	if publish.GetVolatile() || first == nil {
		return published(&fanfarev1.PublishResult{
			Outcome:  fanfarev1.Outcome_OUTCOME_UNKNOWN,
			Repeated: true,
			// The counts of the one node there is are not known.
			Report: &fanfarev1.DeliveryReport{NodesUnreached: 1},
		})
	}
	answer := proto.CloneOf(first)
	if result := answer.GetPublishResult(); result != nil {
		result.Repeated = true
	}
	return answer
}

// handled remembers a publish, and its answer if that could be asked for again.
func (r *repeats) handled(publish *fanfarev1.Publish, answer *fanfarev1.Reply, hasID bool) {
	r.highest[publish.GetVolatile()] = publish.GetSeq()
	if publish.GetVolatile() || !hasID {
		return
	}
	r.order = append(r.order, publish.GetSeq())
	r.answers[publish.GetSeq()] = answer
	if len(r.order) > r.limit {
		delete(r.answers, r.order[0])
		r.order = r.order[1:]
	}
}

func published(result *fanfarev1.PublishResult) *fanfarev1.Reply {
	return &fanfarev1.Reply{Result: &fanfarev1.Reply_PublishResult{PublishResult: result}}
}
