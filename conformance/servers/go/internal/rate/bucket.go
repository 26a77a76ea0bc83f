// Package rate bounds how often something happens (PROTOCOL.md, section 22).
package rate

import (
	"math"
	"time"
)

// Bucket is a token bucket: a token comes back every 1/rate seconds, up to the burst. It can go into debt.
type Bucket struct {
	rate, burst, tokens float64
	at                  time.Time
}

// NewBucket makes a full one.
func NewBucket(perSecond, burst float64, now time.Time) *Bucket {
	return &Bucket{rate: perSecond, burst: burst, tokens: burst, at: now}
}

// Wait says how long it takes until n tokens are there; 0 if they are now. It takes none.
func (b *Bucket) Wait(n float64, now time.Time) time.Duration {
	b.refill(now)
	if b.tokens >= n {
		return 0
	}
	return time.Duration(math.Ceil((n - b.tokens) / b.rate * float64(time.Second)))
}

// Take takes n tokens, there or not, and says how many are left; below 0 it is in debt.
func (b *Bucket) Take(n float64, now time.Time) float64 {
	b.refill(now)
	b.tokens -= n
	return b.tokens
}

func (b *Bucket) refill(now time.Time) {
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.tokens = min(b.burst, b.tokens+passed*b.rate)
		b.at = now
	}
}
