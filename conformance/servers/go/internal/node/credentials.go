package node

import (
	"errors"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/token"
)

// verify checks a token with the keys of the app that it names.
func (n *Node) verify(text string) (token.Claims, error) {
	return token.Verify(text, func(id string) (token.Issuance, bool) {
		app := n.apps[id]
		if app == nil {
			return token.Issuance{}, false
		}
		settings := app.settings
		return token.Issuance{
			Keys: settings.Keys, Leeway: settings.Leeway, Issuer: settings.Issuer, Audience: settings.Audience,
		}, true
	}, n.now())
}

func tokenFailure(err error, field string) *fanfarev1.Error {
	if errors.Is(err, token.ErrExpired) {
		return failure(fanfarev1.ErrorCode_ERROR_CODE_TOKEN_EXPIRED, field, err.Error())
	}
	return failure(fanfarev1.ErrorCode_ERROR_CODE_UNAUTHENTICATED, field, err.Error())
}

// refresh puts a new token of the same app and player in the place of the old one (FF-SE-023).
func (c *connection) refresh(refresh *fanfarev1.Refresh) (*fanfarev1.Refreshed, *fanfarev1.Error) {
	claims, err := c.node.verify(refresh.GetToken())
	if err != nil {
		return nil, tokenFailure(err, "refresh.token")
	}
	if claims.App != c.session.claims.App || claims.Player != c.session.claims.Player {
		return nil, failure(fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, "refresh.token", "the token is of another app or player")
	}
	c.session.claims = claims
	c.expireAt(claims.ExpiresAt)
	return &fanfarev1.Refreshed{TokenExpiresAtMs: uint64(claims.ExpiresAt.UnixMilli())}, nil
}

// expireAt closes the connection when its token expires (FF-SE-025).
func (c *connection) expireAt(expiresAt time.Time) {
	if c.expiryTimer != nil {
		c.expiryTimer.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(expiresAt.Add(c.session.app.settings.Leeway).Sub(c.node.now()), func() {
		c.node.mu.Lock()
		defer c.node.mu.Unlock()
		if c.expiryTimer == timer {
			c.refuse(fanfarev1.CloseCode_CLOSE_CODE_TOKEN_EXPIRED,
				failure(fanfarev1.ErrorCode_ERROR_CODE_TOKEN_EXPIRED, "", "the token has expired"))
		}
	})
	c.expiryTimer = timer
}
