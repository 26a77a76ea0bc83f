package fanfare

import "testing"

func TestRepeatsAreSeenBySource(t *testing.T) {
	s := newSeen(10)
	lobby, arena := source{5, Group("lobby"), false}, source{5, Group("arena"), false}
	shouted := source{5, Group("lobby"), true}
	for i, test := range []struct {
		from source
		seq  uint64
		want bool
	}{
		{lobby, 2, true}, {lobby, 2, false}, {lobby, 1, false}, {arena, 1, true}, {shouted, 1, true}, {lobby, 9, true},
	} {
		if got := s.take(test.from, test.seq); got != test.want {
			t.Errorf("[FF-ID-014] step %d: %v", i, got)
		}
	}
	s.forget(Group("lobby"))
	if !s.take(lobby, 1) || !s.take(shouted, 1) || s.take(arena, 1) {
		t.Error("[FF-DU-005] a channel is forgotten, and no other")
	}
}

func TestTheSourceUnusedForLongestIsForgotten(t *testing.T) {
	s := newSeen(2)
	a, b, c := source{origin: 1}, source{origin: 2}, source{origin: 3}
	s.take(a, 1)
	s.take(b, 1)
	s.take(a, 1) // a repeat is a use too
	s.take(c, 1)
	if s.take(a, 1) || s.take(c, 1) || !s.take(b, 1) {
		t.Error("[FF-ID-015] the oldest of three in a table of two is forgotten, and no other")
	}
}
