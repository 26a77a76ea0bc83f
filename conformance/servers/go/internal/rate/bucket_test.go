package rate

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	start := time.Unix(0, 0)
	bucket := NewBucket(10, 2, start)
	steps := []struct {
		name string
		at   time.Duration
		take float64
		wait time.Duration // for one token, before it is taken
		left float64
	}{
		{"the burst is there at once", 0, 1, 0, 1},
		{"all of it", 0, 1, 0, 0},
		{"then one comes back every tenth of a second", 50 * time.Millisecond, 0, 50 * time.Millisecond, 0.5},
		{"it can go into debt", 50 * time.Millisecond, 1, 50 * time.Millisecond, -0.5},
		{"a debt is paid first", 100 * time.Millisecond, 0, 100 * time.Millisecond, 0},
		{"never more than the burst", time.Hour, 0, 0, 2},
		{"a clock that goes back takes nothing", time.Minute, 0, 0, 2},
	}
	for _, step := range steps {
		now := start.Add(step.at)
		if wait := bucket.Wait(1, now); wait.Round(time.Millisecond) != step.wait {
			t.Errorf("%s: waits %v, want %v", step.name, wait, step.wait)
		}
		if left := bucket.Take(step.take, now); left < step.left-1e-9 || left > step.left+1e-9 {
			t.Errorf("%s: %v left, want %v", step.name, left, step.left)
		}
	}
}
