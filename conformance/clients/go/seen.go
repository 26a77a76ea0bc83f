package fanfare

import "container/list"

// seenBound is how many combinations are remembered: more than the 1,024 that FF-ID-015 demands.
const seenBound = 4096

// source is what a seq is compared within: volatile messages have no order relative to the others.
type source struct {
	origin   uint64
	channel  Channel
	volatile bool
}

type seenEntry struct {
	source source
	seq    uint64
}

// seen knows the last seq taken of each source, and forgets the source unused for longest (FF-ID-014, FF-ID-015).
type seen struct {
	bound   int
	entries map[source]*list.Element
	order   *list.List // the last used in front
}

func newSeen(bound int) *seen {
	return &seen{bound: bound, entries: map[source]*list.Element{}, order: list.New()}
}

// take says whether a message is newer than what was taken before, and remembers it.
func (s *seen) take(from source, seq uint64) bool {
	if element, ok := s.entries[from]; ok {
		s.order.MoveToFront(element)
		entry := element.Value.(*seenEntry)
		if seq <= entry.seq {
			return false
		}
		entry.seq = seq
		return true
	}
	s.entries[from] = s.order.PushFront(&seenEntry{from, seq})
	if s.order.Len() > s.bound {
		oldest := s.order.Remove(s.order.Back()).(*seenEntry)
		delete(s.entries, oldest.source)
	}
	return true
}

// forget forgets a channel, so that its log can be read a second time (FF-DU-005).
func (s *seen) forget(channel Channel) {
	for from, element := range s.entries {
		if from.channel == channel {
			s.order.Remove(element)
			delete(s.entries, from)
		}
	}
}
