package fanfare

import (
	"context"
	"errors"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// leastRefreshWait keeps a client from asking for tokens without a pause.
const leastRefreshWait = time.Second

var errNoToken = errors.New("fanfare: Config.Token gave no token")

// token is the one that the session lives by. The zero value is none.
type token struct {
	value string
	// refreshAt is when a new one is to be brought; zero: the server has not said yet when it expires.
	refreshAt time.Time
	// offset is how far the server's clock is ahead, and late by at most the round trip of the handshake.
	offset time.Duration
	// refused by the server in a refresh.
	refused string
	timer   *time.Timer
}

func (t *token) forget() {
	t.stop()
	t.value = ""
}

func (t *token) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// isFresh says whether it can be used for another connection.
func (t *token) isFresh(now time.Time) bool {
	return t.value != "" && (t.refreshAt.IsZero() || now.Before(t.refreshAt))
}

// lead is how long before its expiry a token is replaced: twice what FF-SE-027 allows at the latest, so that there is time to try again.
func lead(life time.Duration) time.Duration { return min(life/5, time.Minute) }

// welcomed is told of the token that a connection was welcomed with.
func (t *token) welcomed(l *loop, c *connection) {
	t.offset = time.Duration(c.welcome.GetServerTimeUs())*time.Microsecond - time.Duration(time.Now().UnixMicro())*time.Microsecond
	t.value = c.token
	t.expires(l, c.welcome.GetTokenExpiresAtMs())
}

func (t *token) expires(l *loop, atMs uint64) {
	now := time.Now()
	life := time.UnixMilli(int64(atMs)).Sub(now.Add(t.offset))
	t.refreshAt = now.Add(life - lead(life))
	t.schedule(l, life-lead(life), life)
}

// schedule asks for a new token after a delay; left is how long the present one lasts then and now.
func (t *token) schedule(l *loop, delay, life time.Duration) {
	t.stop()
	t.timer = l.after(max(delay, leastRefreshWait/10), func() { l.refresh(life - delay) })
}

// withToken calls back with a token for a connection, at once if there is one.
func (l *loop) withToken(told func(string, error)) {
	if l.token.isFresh(time.Now()) {
		told(l.token.value, nil)
		return
	}
	l.askToken(func(value string, err error) {
		if err == nil {
			l.token.value, l.token.refreshAt = value, time.Time{}
		}
		told(value, err)
	})
}

// askToken asks the application, outside of the loop.
func (l *loop) askToken(told func(string, error)) {
	go func() {
		ctx, cancel := context.WithTimeout(l.ctx, tokenWithin)
		defer cancel()
		value, err := l.config.Token(ctx)
		if err == nil && value == "" {
			err = errNoToken
		}
		l.post(func() { told(value, err) })
	}()
}

// comeWithNewToken comes back at once with a new token, and backs off if it is none (FF-BO-006, FF-BO-007).
func (l *loop) comeWithNewToken(isWelcomed bool) {
	atOnce := l.comeBack.atOnce(isWelcomed)
	former := l.token.value
	l.token.forget()
	l.askToken(func(value string, err error) {
		if err == nil && value != former {
			l.token.value, l.token.refreshAt = value, time.Time{}
		}
		if l.token.value == "" || !atOnce {
			l.wait(l.comeBack.backOff(0))
		} else {
			l.tryAgain()
		}
	})
}

// refresh brings a new token on the live connection (FF-SE-027). left is how long the present one lasts.
func (l *loop) refresh(left time.Duration) {
	again := func() { l.token.schedule(l, max(left/2, leastRefreshWait), left) }
	if l.sendsOn() == nil {
		return // the next connection asks for a token if it needs one
	}
	l.askToken(func(value string, err error) {
		if err != nil || value == l.token.value || value == l.token.refused || l.sendsOn() == nil {
			again()
			return
		}
		ask := &fanfarev1.Refresh{Token: value}
		r := &request{frame: &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Refresh{Refresh: ask}}}
		r.apply = func(reply *fanfarev1.Reply, err error) {
			if err != nil {
				if r.refused {
					l.token.refused = value
				}
				again()
				return
			}
			l.token.value = value
			l.token.expires(l, reply.GetRefreshed().GetTokenExpiresAtMs())
		}
		l.ask(r)
	})
}
