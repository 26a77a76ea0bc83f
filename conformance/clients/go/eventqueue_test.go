package fanfare

import (
	"context"
	"errors"
	"testing"
)

func fill(q *eventQueue) {
	for range queueEvents {
		q.push(Fault{})
	}
}

func drain(t *testing.T, q *eventQueue) []Event {
	t.Helper()
	var rest []Event
	for len(q.items) > 0 {
		event, err := q.next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, isFill := event.(Fault); !isFill {
			rest = append(rest, event)
		}
	}
	return rest
}

func TestWhatDoesNotFitIsTold(t *testing.T) {
	q := newEventQueue(func() {})
	fill(q)
	lobby := Group("lobby")
	q.push(Message{Channel: lobby, Payload: Text("lost")})
	q.push(Message{Channel: lobby, Payload: Text("lost too")})
	q.push(Message{Channel: lobby, Volatile: true})
	q.push(Message{Channel: lobby, Volatile: true})
	q.push(Connected{Resumed: false})
	q.push(Connected{Resumed: true})
	rest := drain(t, q)
	if len(rest) != 3 {
		t.Fatalf("got %v", rest)
	}
	if gap := rest[0].(Gap); !gap.Overflow || gap.Channel != lobby {
		t.Errorf("[FF-SB-017] %+v", gap)
	}
	if dropped := rest[1].(Dropped); dropped.Count != 2 {
		t.Errorf("%+v", dropped)
	}
	if connected := rest[2].(Connected); !connected.Resumed {
		t.Errorf("the newest is kept: %+v", connected)
	}
}

func TestLargeMessagesAreBoundedByTheirBytes(t *testing.T) {
	q := newEventQueue(func() {})
	big := Message{Channel: Group("lobby"), Payload: Binary("", make([]byte, queueBytes-10))}
	if !q.fits(big) {
		t.Error("one message always fits")
	}
	q.push(big)
	if q.fits(big) {
		t.Error("a second one does not")
	}
}

func TestRoomIsToldOnceToWhomItWasDenied(t *testing.T) {
	told := make(chan struct{}, 2)
	q := newEventQueue(func() { told <- struct{}{} })
	fill(q)
	if q.fits(Message{}) {
		t.Fatal("there is no room")
	}
	drain(t, q)
	<-told
	if len(told) != 0 {
		t.Error("told twice")
	}
}

func TestTheEndComesLastAndStays(t *testing.T) {
	q := newEventQueue(func() {})
	cause := errors.New("over")
	q.push(Fault{})
	q.close(cause)
	q.push(Fault{})
	if _, err := q.next(context.Background()); err != nil {
		t.Fatal(err)
	}
	if event, err := q.next(context.Background()); err != nil || event.(Closed).Err != cause {
		t.Fatalf("%v, %v", event, err)
	}
	for range 2 {
		if _, err := q.next(context.Background()); err != cause {
			t.Errorf("got %v", err)
		}
	}
}

func TestNextGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newEventQueue(func() {}).next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
