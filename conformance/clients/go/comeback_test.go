package fanfare

import (
	"testing"
	"time"
)

func most() float64 { return 1 }

func TestBackOffDoublesUpToItsMost(t *testing.T) {
	b := comeBack{jitter: most}
	for n, want := range []time.Duration{250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000} {
		if got := b.backOff(0); got != want*time.Millisecond {
			t.Errorf("[FF-BO-001] delay %d is at most %v, want %d ms", n, got, want)
		}
	}
	b.held()
	if got := b.backOff(0); got != 250*time.Millisecond {
		t.Errorf("[FF-BO-003] the first delay after a reset is at most %v", got)
	}
}

func TestBackOffIsFullJitter(t *testing.T) {
	b := comeBack{jitter: func() float64 { return 0 }}
	if got := b.backOff(0); got != 0 {
		t.Errorf("[FF-BO-001] the least delay is %v", got)
	}
	if got := b.backOff(time.Second); got != time.Second {
		t.Errorf("[FF-BO-002] the least delay is %v with a least wait of 1 s", got)
	}
}

func TestSoonOnceAndThenBackOff(t *testing.T) {
	b := comeBack{jitter: most, window: 500 * time.Millisecond}
	if got := b.soon(0); got != 500*time.Millisecond {
		t.Errorf("[FF-BO-004] the first delay is at most %v", got)
	}
	if got := b.soon(0); got != 250*time.Millisecond {
		t.Errorf("[FF-BO-005] the second delay is at most %v", got)
	}
	b.held()
	if got := b.soon(0); got != 500*time.Millisecond {
		t.Errorf("[FF-BO-005] the delay after a connection that held is at most %v", got)
	}
}

func TestNewTokenAtOnceUnlessItIsRefusedTwice(t *testing.T) {
	b := comeBack{jitter: most}
	for i, test := range []struct{ welcomed, want bool }{
		{true, true}, {false, true}, {false, false}, {true, true}, {false, true},
	} {
		if got := b.atOnce(test.welcomed); got != test.want {
			t.Errorf("[FF-BO-007] end %d, welcomed %v: at once is %v", i, test.welcomed, got)
		}
	}
}
