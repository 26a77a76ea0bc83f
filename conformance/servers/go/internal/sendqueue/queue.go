// Package sendqueue holds what waits for a slow reader (PROTOCOL.md, section 17).
package sendqueue

import (
	"slices"
	"sync"
	"time"
)

// joinedBytes is below what FF-TR-011 allows a message of several frames.
const joinedBytes = 65_000

// ConflationKey names volatile messages of which only the newest is kept.
type ConflationKey struct {
	Origin  uint64
	Channel string
	Key     string
}

// Item is one encoded frame.
type Item struct {
	Bytes []byte
	// Volatile items can be dropped.
	Volatile bool
	// Conflation is the zero value where nothing is replaced.
	Conflation ConflationKey
	// ExpiresAt is when it is thrown away unsent; zero: never.
	ExpiresAt time.Time
}

// Closing is how a connection ends once what was queued is written.
type Closing struct {
	Code   int
	Reason string
}

// Queue is the send queue of one connection, bounded in bytes. At the bound volatile items go, oldest first; what was handed to the writer is
// not counted, and is at most one WebSocket message.
type Queue struct {
	// EncodeDropped makes the frame that tells how many were dropped.
	EncodeDropped func(count uint64) []byte
	// FrameOverhead is added to each frame where frames are joined, in bytes.
	FrameOverhead int

	mu      sync.Mutex
	limit   int
	items   []Item
	bytes   int
	dropped uint64
	closing *Closing
	wake    chan struct{}
}

// New makes an empty one that holds at most limit bytes, or one single frame that is larger.
func New(limit int, frameOverhead int, encodeDropped func(uint64) []byte) *Queue {
	return &Queue{EncodeDropped: encodeDropped, FrameOverhead: frameOverhead, limit: limit, wake: make(chan struct{}, 1)}
}

// Result is what became of a Push.
type Result int

// The results of a Push.
const (
	// Queued: it will be written, unless it expires or is replaced or dropped later.
	Queued Result = iota
	// Refused: it was volatile and found no room, or the queue is closing.
	Refused
	// Overflowed: it could not be dropped and found no room. Nothing was queued; the connection has to end.
	Overflowed
)

// Push queues an item at the end.
func (q *Queue) Push(item Item) Result {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing != nil {
		return Refused
	}
	if item.Volatile && item.Conflation != (ConflationKey{}) {
		q.remove(func(other Item) bool { return other.Volatile && other.Conflation == item.Conflation }, 1)
	}
	for len(q.items) > 0 && q.bytes+len(item.Bytes) > q.limit {
		if q.remove(func(other Item) bool { return other.Volatile }, 1) == 0 {
			break
		}
		q.dropped++
	}
	if len(q.items) > 0 && q.bytes+len(item.Bytes) > q.limit {
		if !item.Volatile {
			return Overflowed
		}
		q.dropped++
		q.signal()
		return Refused
	}
	q.items = append(q.items, item)
	q.bytes += len(item.Bytes)
	q.signal()
	return Queued
}

// Close ends the queue: what is queued is written first, or thrown away if discard is set. Only the first close counts.
func (q *Queue) Close(closing Closing, discard bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing != nil {
		return
	}
	q.closing = &closing
	if discard {
		q.items, q.bytes, q.dropped = nil, 0, 0
	}
	q.signal()
}

// Wake tells the writer that Next may have something.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

// Next takes the frames of the next WebSocket message. Without any, closing says whether the queue has ended.
func (q *Queue) Next(now time.Time) (frames [][]byte, closing *Closing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	if q.dropped > 0 {
		frame := q.EncodeDropped(q.dropped)
		frames, size, q.dropped = append(frames, frame), len(frame)+2*q.FrameOverhead, 0
	}
	taken := 0
	for _, item := range q.items {
		if !item.ExpiresAt.IsZero() && !now.Before(item.ExpiresAt) {
			taken++
			q.bytes -= len(item.Bytes)
			continue
		}
		if len(frames) > 0 && size+len(item.Bytes)+q.FrameOverhead > joinedBytes {
			break
		}
		frames, size = append(frames, item.Bytes), size+len(item.Bytes)+q.FrameOverhead
		taken++
		q.bytes -= len(item.Bytes)
	}
	q.items = slices.Delete(q.items, 0, taken)
	if len(frames) == 0 {
		return nil, q.closing
	}
	q.signal()
	return frames, nil
}

// remove takes out the first items that match, at most n, and says how many there were.
func (q *Queue) remove(matches func(Item) bool, n int) int {
	removed := 0
	q.items = slices.DeleteFunc(q.items, func(item Item) bool {
		if removed == n || !matches(item) {
			return false
		}
		removed++
		q.bytes -= len(item.Bytes)
		return true
	})
	return removed
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
