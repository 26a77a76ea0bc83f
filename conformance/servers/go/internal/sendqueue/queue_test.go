package sendqueue

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(0, 0)

func newQueue(limit int) *Queue {
	return New(limit, 0, func(count uint64) []byte { return []byte("dropped:" + strconv.FormatUint(count, 10)) })
}

func live(text string) Item     { return Item{Bytes: []byte(text)} }
func volatile(text string) Item { return Item{Bytes: []byte(text), Volatile: true} }
func keyed(text, key string) Item {
	return Item{Bytes: []byte(text), Volatile: true, Conflation: ConflationKey{1, "group/g", key}}
}

func TestPush(t *testing.T) {
	cases := []struct {
		name  string
		items []Item
		want  Result // of the last
		next  string
	}{
		{"in order", []Item{live("aaaa"), live("bbbb")}, Queued, "aaaa bbbb"},
		{"a newer one of a key goes to the end (FF-SL-002)", []Item{keyed("old", "k"), live("aaaa"), keyed("new", "k")}, Queued, "aaaa new"},
		{"another key stays", []Item{keyed("one", "k"), keyed("two", "l")}, Queued, "one two"},
		{"oldest volatile first (FF-SL-003)", []Item{volatile("one"), volatile("two"), live("aaaaaa")}, Queued, "dropped:1 two aaaaaa"},
		{"a volatile one finds no room", []Item{live("aaaaaaaaaa"), volatile("b")}, Refused, "dropped:1 aaaaaaaaaa"},
		{"past the bound (FF-SL-006)", []Item{live("aaaaaaaaaa"), live("b")}, Overflowed, "aaaaaaaaaa"},
		{"a single one that is larger", []Item{live("aaaaaaaaaaaaaaa")}, Queued, "aaaaaaaaaaaaaaa"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			queue := newQueue(10)
			var result Result
			for _, item := range c.items {
				result = queue.Push(item)
			}
			if result != c.want {
				t.Errorf("got %v, want %v", result, c.want)
			}
			if got := next(queue, start); got != c.next {
				t.Errorf("got %q, want %q", got, c.next)
			}
		})
	}
}

func next(queue *Queue, now time.Time) string {
	frames, _ := queue.Next(now)
	var texts []string
	for _, frame := range frames {
		texts = append(texts, string(frame))
	}
	return strings.Join(texts, " ")
}

func TestNextThrowsAwayWhatHasExpired(t *testing.T) {
	queue := newQueue(100)
	queue.Push(Item{Bytes: []byte("late"), ExpiresAt: start.Add(time.Second)})
	queue.Push(live("kept"))
	if got := next(queue, start.Add(time.Second)); got != "kept" {
		t.Errorf("got %q", got)
	}
}

func TestNextKeepsJoinedMessagesSmall(t *testing.T) {
	queue := newQueue(1 << 20)
	for range 3 {
		queue.Push(Item{Bytes: make([]byte, 40_000)})
	}
	for i := range 3 {
		if frames, _ := queue.Next(start); len(frames) != 1 {
			t.Errorf("message %d has %d frames", i, len(frames))
		}
	}
}

func TestClose(t *testing.T) {
	for _, discard := range []bool{false, true} {
		queue := newQueue(100)
		queue.Push(live("a"))
		queue.Close(Closing{Code: 4100}, discard)
		queue.Close(Closing{Code: 4000}, discard)
		if result := queue.Push(live("b")); result != Refused {
			t.Errorf("a closing queue has taken an item: %v", result)
		}
		if got := next(queue, start); (got == "") != discard {
			t.Errorf("discard %v: got %q", discard, got)
		}
		if _, closing := queue.Next(start); closing == nil || closing.Code != 4100 {
			t.Errorf("ends with %v", closing)
		}
	}
}
