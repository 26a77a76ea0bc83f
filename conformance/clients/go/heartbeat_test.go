package fanfare

import (
	"testing"
	"time"
)

func TestSilenceIsDeath(t *testing.T) {
	start := time.Now()
	h := heartbeat{interval: time.Second, timeout: 500 * time.Millisecond}
	h.heard(start)
	if got, next := h.check(start.Add(time.Second)); got != alive || next != start.Add(1500*time.Millisecond) {
		t.Errorf("[FF-HB-005] after 1 s: %v, next %v", got, next.Sub(start))
	}
	if got, _ := h.check(start.Add(1500 * time.Millisecond)); got != dead {
		t.Errorf("[FF-HB-005] after 1.5 s: %v", got)
	}
}

func TestALateCheckAsksFirst(t *testing.T) {
	start := time.Now()
	h := heartbeat{interval: time.Second, timeout: 500 * time.Millisecond}
	h.heard(start)
	woken := start.Add(time.Minute)
	if got, next := h.check(woken); got != probe || next != woken.Add(h.timeout) {
		t.Fatalf("[FF-HB-009] after a minute: %v, next %v", got, next.Sub(woken))
	}
	if got, _ := h.check(woken.Add(h.timeout)); got != dead {
		t.Errorf("[FF-HB-009] without an answer: %v", got)
	}
	h.heard(woken)
	if got, _ := h.check(woken.Add(h.timeout)); got != alive {
		t.Errorf("[FF-HB-009] with an answer: %v", got)
	}
}
