package fanfare

import "time"

const (
	backOffBase = 250 * time.Millisecond
	backOffMost = 30 * time.Second
	// heldAfter is how long a connection has to hold after its welcome to be taken for good (FF-BO-003).
	heldAfter = 10 * time.Second
	// defaultWindow is drawn from after "soon" without a welcome (FF-BO-004).
	defaultWindow = 2 * time.Second
)

// comeBack draws the delays of section 20.
type comeBack struct {
	// jitter gives numbers from 0 to 1, uniformly.
	jitter func() float64
	// window is what the newest welcome says for "soon".
	window time.Duration

	draws        int  // of backOff since the last reset
	cameSoon     bool // since a connection has held
	tokenRefused bool // the last connection ended by "new token" and without a welcome
}

// held is told that a connection has held for heldAfter.
func (b *comeBack) held() { b.draws, b.cameSoon = 0, false }

// backOff draws a delay by full jitter, and not less than the least wait (FF-BO-001, FF-BO-002).
func (b *comeBack) backOff(least time.Duration) time.Duration {
	most := backOffMost
	if b.draws < 7 { // 250 ms · 2^7 is past 30 s
		most = min(most, backOffBase<<b.draws)
	}
	b.draws++
	return max(least, time.Duration(b.jitter()*float64(most)))
}

// soon draws a delay over the window that the server gave, and backs off the second time (FF-BO-004, FF-BO-005).
func (b *comeBack) soon(least time.Duration) time.Duration {
	if b.cameSoon {
		return b.backOff(least)
	}
	b.cameSoon = true
	return max(least, time.Duration(b.jitter()*float64(b.window)))
}

// atOnce says whether the client comes back at once with a new token, and not after a delay: unless this connection and the one before it both
// ended by "new token" and without a welcome (FF-BO-007).
func (b *comeBack) atOnce(welcomed bool) bool {
	again := b.tokenRefused && !welcomed
	b.tokenRefused = !welcomed
	return !again
}
