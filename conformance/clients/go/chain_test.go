package fanfare

import (
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func TestMessagesFollowThePosition(t *testing.T) {
	at := Position{Epoch: 7, Offset: 41, Tag: 0xa5}
	for name, test := range map[string]struct {
		entry *fanfarev1.LogEntry
		want  step
		to    Position
	}{
		"the next one":         {&fanfarev1.LogEntry{Offset: 42, Tag: 9, PreviousTag: 0xa5}, take, Position{7, 42, 9}},
		"the one it is at":     {&fanfarev1.LogEntry{Offset: 41, Tag: 0xa5, PreviousTag: 1}, drop, at},
		"an older one":         {&fanfarev1.LogEntry{Offset: 1, Tag: 3}, drop, at},
		"one after a hole":     {&fanfarev1.LogEntry{Offset: 43, Tag: 9, PreviousTag: 0xa5}, resync, at},
		"one of a forked log":  {&fanfarev1.LogEntry{Offset: 42, Tag: 9, PreviousTag: 0xa6}, resync, at},
		"one without an entry": {nil, resync, at},
	} {
		t.Run(name, func(t *testing.T) {
			to, got := at.message(test.entry)
			if got != test.want || to != test.to {
				t.Errorf("[FF-DU-001] got %v to %v, want %v to %v", got, to, test.want, test.to)
			}
		})
	}
}

func TestSkipsFollowThePosition(t *testing.T) {
	at := Position{Epoch: 7, Offset: 41, Tag: 0xa5}
	for name, test := range map[string]struct {
		skip *fanfarev1.Skip
		want step
		to   Position
	}{
		"the next ones":              {&fanfarev1.Skip{FromOffset: 42, ToOffset: 44, Tag: 9, PreviousTag: 0xa5}, take, Position{7, 44, 9}},
		"from before to behind":      {&fanfarev1.Skip{FromOffset: 40, ToOffset: 42, Tag: 9, PreviousTag: 1}, take, Position{7, 42, 9}},
		"those it is past":           {&fanfarev1.Skip{FromOffset: 40, ToOffset: 41, Tag: 0xa5}, drop, at},
		"after a hole":               {&fanfarev1.Skip{FromOffset: 43, ToOffset: 44, Tag: 9, PreviousTag: 0xa5}, resync, at},
		"the next ones, forked away": {&fanfarev1.Skip{FromOffset: 42, ToOffset: 44, Tag: 9, PreviousTag: 0xa6}, resync, at},
	} {
		t.Run(name, func(t *testing.T) {
			to, got := at.skip(test.skip)
			if got != test.want || to != test.to {
				t.Errorf("[FF-DU-001] got %v to %v, want %v to %v", got, to, test.want, test.to)
			}
		})
	}
}
