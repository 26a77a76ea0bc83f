package node

import (
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func TestRepeats(t *testing.T) {
	delivered := published(&fanfarev1.PublishResult{Outcome: fanfarev1.Outcome_OUTCOME_DELIVERED})
	refused := failed(failure(fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, "", ""))
	r := newRepeats(2)
	r.handled(&fanfarev1.Publish{Seq: 1}, delivered, true)
	r.handled(&fanfarev1.Publish{Seq: 2}, delivered, true)
	r.handled(&fanfarev1.Publish{Seq: 3}, delivered, false)
	r.handled(&fanfarev1.Publish{Seq: 5}, refused, true)
	r.handled(&fanfarev1.Publish{Seq: 9, Volatile: true}, delivered, true)
	cases := []struct {
		name     string
		publish  *fanfarev1.Publish
		isNew    bool
		outcome  fanfarev1.Outcome
		error    fanfarev1.ErrorCode
		repeated bool
	}{
		{"a higher one is new", &fanfarev1.Publish{Seq: 6}, true, 0, 0, false},
		{"volatile ones count apart (FF-ID-009)", &fanfarev1.Publish{Seq: 10, Volatile: true}, true, 0, 0, false},
		{"the same outcome (FF-ID-011)", &fanfarev1.Publish{Seq: 2}, false, fanfarev1.Outcome_OUTCOME_DELIVERED, 0, true},
		{"the same refusal (FF-ID-011)", &fanfarev1.Publish{Seq: 5}, false, 0, fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, false},
		{"one that is forgotten (FF-ID-013)", &fanfarev1.Publish{Seq: 1}, false, fanfarev1.Outcome_OUTCOME_UNKNOWN, 0, true},
		{"one without an id (FF-ID-013)", &fanfarev1.Publish{Seq: 3}, false, fanfarev1.Outcome_OUTCOME_UNKNOWN, 0, true},
		{"one that was left out", &fanfarev1.Publish{Seq: 4}, false, fanfarev1.Outcome_OUTCOME_UNKNOWN, 0, true},
		{"a volatile one", &fanfarev1.Publish{Seq: 9, Volatile: true}, false, fanfarev1.Outcome_OUTCOME_UNKNOWN, 0, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := r.answer(c.publish)
			if (answer == nil) != c.isNew {
				t.Fatalf("got %v", answer)
			}
			if answer.GetPublishResult().GetOutcome() != c.outcome || answer.GetPublishResult().GetRepeated() != c.repeated ||
				answer.GetError().GetCode() != c.error {
				t.Errorf("got %v", answer)
			}
		})
	}
	if delivered.GetPublishResult().GetRepeated() {
		t.Error("the answer to the first was changed")
	}
}
