package node

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/rate"
	"fanfare.example/server/internal/token"
)

// session is one client instance of a player. It can outlive its connection for the resume window.
//
//	connected --connection ends, resume in force--> detached --hello with resume--> connected
//	connected --connection ends otherwise--> ended
//	detached --window is over--> ended
type session struct {
	app           *app
	player        *player
	id            string
	origin        uint64
	attempt       uint32
	claims        token.Claims
	resumable     bool
	connection    *connection // nil while detached
	window        *time.Timer
	welcomedAt    time.Time
	subscriptions map[channelKey]*subscription
	declined      map[channelKey]struct{}
	repeats       *repeats
	publishes     *rate.Bucket
	channelRates  map[channelKey]*rate.Bucket
}

func (a *app) newSession(id string, claims token.Claims) *session {
	limits, now := a.node.settings.Limits, a.node.now()
	s := &session{
		app:           a,
		player:        a.playerOf(claims.Player),
		id:            id,
		origin:        a.newOrigin(),
		claims:        claims,
		subscriptions: map[channelKey]*subscription{},
		declined:      map[channelKey]struct{}{},
		repeats:       newRepeats(int(limits.GetMaxPendingRequests())),
		publishes:     rate.NewBucket(float64(limits.GetPublishesPerSecond()), float64(limits.GetPublishBurst()), now),
		channelRates:  map[channelKey]*rate.Bucket{},
	}
	a.sessions[id] = s
	s.player.sessions[s] = struct{}{}
	return s
}

// send queues frames for the session's connection. It says whether the queue took the last; without a connection it does nothing.
func (s *session) send(frames ...*outbound) bool {
	taken := false
	for _, frame := range frames {
		if s.connection == nil {
			return false
		}
		taken = s.connection.send(frame)
	}
	return taken
}

// detach keeps the session for its window (FF-SE-003), or ends it if it has none (FF-SE-002).
func (s *session) detach() {
	s.connection = nil
	if !s.resumable {
		s.end(fanfarev1.LeaveReason_LEAVE_REASON_TIMEOUT)
		return
	}
	node := s.app.node
	var window *time.Timer
	window = time.AfterFunc(node.settings.ResumeWindow, func() {
		node.mu.Lock()
		defer node.mu.Unlock()
		if s.window == window {
			s.end(fanfarev1.LeaveReason_LEAVE_REASON_TIMEOUT)
		}
	})
	s.window = window
	s.evictDetached()
}

// evictDetached bounds the detached sessions of a player, who could otherwise make one with each hello: past four for each connection
// allowed, the one whose last welcome is the oldest ends (FF-SE-028).
func (s *session) evictDetached() {
	var oldest *session
	detached := 0
	for other := range s.player.sessions {
		if other.connection == nil {
			detached++
			if oldest == nil || other.welcomedAt.Before(oldest.welcomedAt) {
				oldest = other
			}
		}
	}
	if detached > 4*s.app.node.settings.MaxConnectionsPerPlayer {
		oldest.end(fanfarev1.LeaveReason_LEAVE_REASON_TIMEOUT)
	}
}

func (s *session) stopWindow() {
	if s.window != nil {
		s.window.Stop()
		s.window = nil
	}
}

// end removes the session with everything that it has.
func (s *session) end(reason fanfarev1.LeaveReason) {
	if s.app.sessions[s.id] != s {
		return
	}
	s.stopWindow()
	for _, sub := range s.subscriptions {
		s.remove(sub, reason)
	}
	delete(s.app.sessions, s.id)
	delete(s.player.sessions, s)
	if len(s.player.sessions) == 0 {
		delete(s.app.players, s.player.id)
	}
}

// secret proves the session in a resume. It is made from the node's key, so that there is one for each session, as long as it lives
// (FF-SC-004, FF-SE-014).
func (a *app) secret(id, player string) string {
	mac := hmac.New(sha256.New, a.node.secretKey)
	fmt.Fprintf(mac, "%s\x00%s\x00%s", a.settings.ID, player, id)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (a *app) verifySecret(id, player, secret string) bool {
	return hmac.Equal([]byte(a.secret(id, player)), []byte(secret))
}

// tooLarge refuses a payload with more data than a limit.
func tooLarge(payload *fanfarev1.Payload, limit uint32, field string) *fanfarev1.Error {
	length := len(payload.GetBinary()) + len(payload.GetText()) + len(payload.GetJson())
	if length <= int(limit) {
		return nil
	}
	return failure(fanfarev1.ErrorCode_ERROR_CODE_TOO_LARGE, field, fmt.Sprintf("at most %d bytes of data", limit))
}
