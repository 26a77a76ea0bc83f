package fanfare

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
)

// The bound of what waits for the application.
const (
	queueEvents = 8192
	queueBytes  = 16 << 20
)

// eventQueue holds events until the application takes them, so that the WebSocket is read however slow the application is (section 17). At its
// bound durable messages stay in their log, live ones become a gap of their channel, volatile ones are counted, and of every other kind of event
// the newest of a channel is kept.
type eventQueue struct {
	mu       sync.Mutex
	items    []Event
	bytes    int
	late     map[string]Event // what did not fit, by kind and channel
	lateKeys []string
	wake     chan struct{}
	onRoom   func() // called once when there is room after fits has denied it
	denied   bool
	err      error // set at the end
}

func newEventQueue(onRoom func()) *eventQueue {
	return &eventQueue{late: map[string]Event{}, wake: make(chan struct{}, 1), onRoom: onRoom}
}

// fits says whether a durable message can be pushed. It is asked by the only goroutine that pushes.
func (q *eventQueue) fits(message Message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.denied = !q.hasRoom(message)
	return !q.denied
}

func (q *eventQueue) push(event Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return
	}
	if len(q.late) > 0 || !q.hasRoom(event) {
		q.pushLate(event)
	} else {
		q.append(event)
	}
	q.signal()
}

func (q *eventQueue) hasRoom(event Event) bool {
	return len(q.items) < queueEvents && (q.bytes == 0 || q.bytes+size(event) <= queueBytes)
}

func (q *eventQueue) append(event Event) {
	q.items = append(q.items, event)
	q.bytes += size(event)
}

func (q *eventQueue) pushLate(event Event) {
	if message, ok := event.(Message); ok {
		event = Gap{Channel: message.Channel, Overflow: true}
		if message.Volatile {
			event = Dropped{1}
		}
	}
	key := fmt.Sprintf("%T %v", event, event.about())
	former, ok := q.late[key]
	if !ok {
		q.lateKeys = append(q.lateKeys, key)
	}
	if dropped, isDropped := event.(Dropped); isDropped && ok {
		event = Dropped{former.(Dropped).Count + dropped.Count}
	}
	q.late[key] = event
}

// close lets next fail once everything before was taken.
func (q *eventQueue) close(err error) {
	q.push(Closed{err})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.signal()
}

func (q *eventQueue) next(ctx context.Context) (Event, error) {
	for {
		event, err := q.pop()
		if event != nil || err != nil {
			return event, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *eventQueue) pop() (Event, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		q.signalIf(q.err != nil)
		return nil, q.err
	}
	event := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	q.bytes -= size(event)
	if len(q.items) <= queueEvents/2 && q.bytes <= queueBytes/2 {
		for _, key := range q.lateKeys {
			q.append(q.late[key])
		}
		clear(q.late)
		q.lateKeys = nil
		if q.denied {
			q.denied = false
			go q.onRoom()
		}
	}
	q.signalIf(len(q.items) > 0 || q.err != nil)
	return event, nil
}

func (q *eventQueue) signalIf(condition bool) {
	if condition {
		q.signal()
	}
}

// signal wakes one caller of next; who takes an event wakes the one after it.
func (q *eventQueue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func size(event Event) int {
	message, ok := event.(Message)
	if !ok {
		return 0
	}
	return proto.Size(message.Payload)
}
