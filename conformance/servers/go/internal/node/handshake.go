package node

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/token"
	"fanfare.example/server/internal/wire"
)

// revision is the only one that is spoken here.
const revision = 1

// hello answers the first frame with a welcome, or closes with the code that section 4 gives the first condition that holds.
func (c *connection) hello(hello *fanfarev1.Hello) {
	c.features, _ = wire.Negotiate(hello.GetFeatures())
	if violation := wire.CheckBounds(hello.ProtoReflect(), "hello"); violation != nil {
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_PROTOCOL_ERROR,
			failure(fanfarev1.ErrorCode_ERROR_CODE_INVALID_ARGUMENT, violation.Field, violation.Reason))
		return
	}
	wire.Strip(hello.ProtoReflect(), c.features)
	if !speaksRevision(hello.GetMinRevision(), hello.GetMaxRevision()) {
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_UNSUPPORTED_REVISION,
			failure(fanfarev1.ErrorCode_ERROR_CODE_UNIMPLEMENTED, "hello.max_revision", "revision 1 alone is spoken here"))
		return
	}
	claims, err := c.node.verify(hello.GetToken())
	if err != nil {
		code := fanfarev1.CloseCode_CLOSE_CODE_UNAUTHENTICATED
		if errors.Is(err, token.ErrExpired) {
			code = fanfarev1.CloseCode_CLOSE_CODE_TOKEN_EXPIRED
		}
		c.refuse(code, tokenFailure(err, "hello.token"))
		return
	}
	app := c.node.apps[claims.App]
	if !app.allowsOrigin(c.origin) {
		c.close(fanfarev1.CloseCode_CLOSE_CODE_ORIGIN_REFUSED, "this origin is not on the app's list")
		return
	}
	s, refused := c.resumed(app, hello, claims)
	if refused != 0 {
		c.refuse(refused, failure(fanfarev1.ErrorCode_ERROR_CODE_SESSION_ENDED, "hello.resume", "the session cannot be resumed with this hello"))
		return
	}
	connections := app.connectionsOf(claims.Player)
	if s != nil && s.connection != nil {
		connections-- // It takes the place of this one.
	}
	if connections >= c.node.settings.MaxConnectionsPerPlayer {
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_OVERLOADED,
			failure(fanfarev1.ErrorCode_ERROR_CODE_LIMIT_EXCEEDED, "", "the player has as many connections as allowed"))
		return
	}
	c.helloTimer.Stop()
	c.welcome(app, s, hello, claims)
}

func speaksRevision(least, greatest uint32) bool {
	if least == 0 {
		least = 1
	}
	if greatest == 0 {
		greatest = least
	}
	return least <= revision && revision <= greatest
}

// resumed finds the session that a hello names. It is nil, without a code, where a new one is to begin (FF-SE-004).
func (c *connection) resumed(app *app, hello *fanfarev1.Hello, claims token.Claims) (*session, fanfarev1.CloseCode) {
	resume := hello.GetResume()
	if resume == nil {
		return nil, 0
	}
	s := c.node.sessionOf(resume.GetSessionId())
	grave, ended := app.tombstones[resume.GetSessionId()]
	ended = ended && c.node.now().Before(grave.until)
	if s == nil && !ended {
		return nil, 0
	}
	if !app.verifySecret(resume.GetSessionId(), claims.Player, resume.GetSecret()) {
		return nil, fanfarev1.CloseCode_CLOSE_CODE_SESSION_LOST
	}
	if ended {
		return nil, grave.code
	}
	if hello.GetAttempt() <= s.attempt {
		return nil, fanfarev1.CloseCode_CLOSE_CODE_STALE_ATTEMPT
	}
	return s, 0
}

// sessionOf finds a session of any app: one of another is answered by its secret, not as unknown (FF-SE-005).
func (n *Node) sessionOf(id string) *session {
	for _, app := range n.apps {
		if s := app.sessions[id]; s != nil {
			return s
		}
	}
	return nil
}

func (a *app) connectionsOf(id string) int {
	if player := a.players[id]; player != nil {
		return player.connections()
	}
	return 0
}

// welcome lets a session begin, or go on if there is one, and tells all that the client has to know.
func (c *connection) welcome(app *app, s *session, hello *fanfarev1.Hello, claims token.Claims) {
	isResumed := s != nil
	if isResumed {
		former := s.connection
		s.connection, s.claims = nil, claims
		s.stopWindow()
		if former != nil {
			former.close(fanfarev1.CloseCode_CLOSE_CODE_REPLACED, "a newer connection has taken the session over")
		}
	} else {
		s = app.newSession(rand.Text(), claims)
	}
	s.attempt = hello.GetAttempt()
	s.resumable = c.features[wire.Resume]
	results, watched, owed := s.subscribeAll(hello.GetSubscriptions(), isResumed)

	c.session = s
	c.startHeartbeat(time.Duration(hello.GetHeartbeatIntervalMs()) * time.Millisecond)
	c.expireAt(claims.ExpiresAt)
	settings := c.node.settings
	welcome := &fanfarev1.Welcome{
		SessionId:           s.id,
		Origin:              s.origin,
		Attempt:             s.attempt,
		PlayerId:            s.player.id,
		AppId:               app.settings.ID,
		NodeId:              settings.NodeID,
		ServerTimeUs:        uint64(c.node.now().UnixMicro()),
		HeartbeatIntervalMs: uint32(c.heartbeat.interval.Milliseconds()),
		HeartbeatTimeoutMs:  uint32(c.heartbeat.timeout.Milliseconds()),
		Limits:              settings.Limits,
		TokenExpiresAtMs:    uint64(max(0, claims.ExpiresAt.UnixMilli())),
		Subscriptions:       results,
		Resumed:             isResumed,
		Revision:            revision,
		ReconnectWindowMs:   uint32(settings.ReconnectWindow.Milliseconds()),
	}
	_, welcome.Features = wire.Negotiate(hello.GetFeatures())
	if s.resumable {
		welcome.ResumeSecret = app.secret(s.id, s.player.id)
		welcome.ResumeWindowMs = uint32(settings.ResumeWindow.Milliseconds())
	}
	s.connection, s.welcomedAt = c, app.node.now()
	c.send(&outbound{frame: &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Welcome{Welcome: welcome}}})
	for _, sub := range watched {
		sub.watch()
	}
	for _, sub := range owed {
		s.tellOpened(sub)
	}
}

// subscribeAll brings the subscriptions to what a hello asks for, and lists all of them: those asked for in their order, then those that the
// server opened by itself (FF-HS-015, FF-HS-016, FF-SB-014). watched is sent snapshots, and owed is to be told of later: the server opens it by
// itself, and refused what the hello asked for in it.
func (s *session) subscribeAll(requests []*fanfarev1.Subscribe, isResumed bool) (
	results []*fanfarev1.SubscriptionResult, watched, owed []*subscription,
) {
	before := map[channelKey]bool{}
	for key, sub := range s.subscriptions {
		before[key] = true
		named := slices.ContainsFunc(requests, func(request *fanfarev1.Subscribe) bool { return keyOf(request.GetChannel()) == key })
		sub.byServer, sub.watching = s.opensByItself(key), false
		switch {
		case named:
		case sub.byServer: // It loses what the client had asked for in it.
			sub.byClient, sub.data = false, nil
			sub.channel.update(sub)
		default:
			s.remove(sub, fanfarev1.LeaveReason_LEAVE_REASON_LEFT)
		}
	}
	listed, refusedKeys := map[channelKey]bool{}, map[channelKey]bool{}
	list := func(sub *subscription, watch bool) {
		subscribed := sub.subscribed()
		subscribed.Presence = watch
		if isResumed && before[sub.channel.key] {
			subscribed.Gap = &fanfarev1.Gap{Reason: fanfarev1.GapReason_GAP_REASON_DETACHED}
		}
		listed[sub.channel.key] = true
		results = append(results, &fanfarev1.SubscriptionResult{
			Channel: sub.channel.key.message(), Result: &fanfarev1.SubscriptionResult_Subscribed{Subscribed: subscribed},
		})
	}
	for i, request := range requests {
		sub, watch, refused := s.subscribe(request, elementPath(i))
		if refused != nil {
			key := keyOf(request.GetChannel())
			if lost := s.subscriptions[key]; lost != nil && !lost.byServer {
				s.remove(lost, fanfarev1.LeaveReason_LEAVE_REASON_KICKED)
			}
			refusedKeys[key] = true
			results = append(results, &fanfarev1.SubscriptionResult{
				Channel: request.GetChannel(), Result: &fanfarev1.SubscriptionResult_Error{Error: refused},
			})
			continue
		}
		if watch {
			watched = append(watched, sub)
		}
		list(sub, watch)
	}
	s.openOwn()
	for _, sub := range s.own() {
		switch key := sub.channel.key; {
		case listed[key]:
		case refusedKeys[key]:
			sub.byClient, sub.data = false, nil
			sub.channel.update(sub)
			owed = append(owed, sub)
		default:
			list(sub, false)
		}
	}
	return results, watched, owed
}

func elementPath(i int) string { return "hello.subscriptions[" + strconv.Itoa(i) + "]" }
