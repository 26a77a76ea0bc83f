package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

const secret = "a secret of thirty-two bytes, at least"

var now = time.Unix(1_790_000_000, 0)

// sign makes a token; a nil value removes a claim.
func sign(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	part := func(object map[string]any) string {
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(header) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func with(base map[string]any, name string, value any) map[string]any {
	made := map[string]any{}
	for key, other := range base {
		made[key] = other
	}
	if value == nil {
		delete(made, name)
	} else {
		made[name] = value
	}
	return made
}

func TestVerify(t *testing.T) {
	key, err := NewSecretKey("k", secret)
	if err != nil {
		t.Fatal(err)
	}
	appOf := func(id string) (Issuance, bool) { return Issuance{Keys: []Key{key}}, id == "alpha" }
	header := map[string]any{"alg": "HS256", "kid": "k"}
	claims := map[string]any{"sub": "ada", "app": "alpha", "exp": now.Unix() + 1}
	cases := map[string]struct {
		header, claims map[string]any
		want           error
	}{
		"a good one":                     {header, claims, nil},
		"without kid":                    {with(header, "kid", nil), claims, nil},
		"a kid of no key":                {with(header, "kid", "other"), claims, nil},
		"another algorithm (FF-TK-002)":  {with(header, "alg", "RS256"), claims, ErrInvalid},
		"no algorithm (FF-TK-002)":       {with(header, "alg", "none"), claims, ErrInvalid},
		"a critical extension":           {with(header, "crit", []string{"b64"}), claims, ErrInvalid},
		"without sub (FF-TK-004)":        {header, with(claims, "sub", nil), ErrInvalid},
		"without app (FF-TK-004)":        {header, with(claims, "app", nil), ErrInvalid},
		"without exp (FF-TK-004)":        {header, with(claims, "exp", nil), ErrInvalid},
		"sub out of bounds (FF-TK-004)":  {header, with(claims, "sub", "a b"), ErrInvalid},
		"another app (FF-TK-005)":        {header, with(claims, "app", "beta"), ErrInvalid},
		"expired":                        {header, with(claims, "exp", now.Unix()), ErrExpired},
		"exp in fractions":               {header, with(claims, "exp", float64(now.Unix())+0.5), nil},
		"exp as a string":                {header, with(claims, "exp", "1790000001"), ErrInvalid},
		"a group out of bounds":          {header, with(claims, "groups", []string{"a b"}), ErrInvalid},
		"a capability without a verb":    {header, with(claims, "caps", []string{"chat"}), ErrInvalid},
		"groups of another type":         {header, with(claims, "groups", "guild:1"), ErrInvalid},
		"an unknown claim (FF-TK-006)":   {header, with(claims, "nbf", now.Unix()+100), nil},
		"unknown capability (FF-TK-006)": {header, with(claims, "caps", []string{"fly:high"}), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(sign(t, c.header, c.claims), appOf, now); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestVerifyRefusesAnotherSignature(t *testing.T) {
	key, _ := NewSecretKey("k", "another secret of thirty-two bytes, at least")
	text := sign(t, map[string]any{"alg": "HS256"}, map[string]any{"sub": "ada", "app": "alpha", "exp": now.Unix() + 1})
	_, err := Verify(text, func(string) (Issuance, bool) { return Issuance{Keys: []Key{key}}, true }, now)
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want %v", err, ErrInvalid)
	}
}

func TestCapability(t *testing.T) {
	cases := []struct {
		text                   string
		group                  string
		onGroup, onAda, onEach bool
	}{
		{"publish:chat:*", "chat:lobby", true, false, false},
		{"publish:chat:*", "chatter", false, false, false},
		{"publish:chat:lobby", "chat:lobby", true, false, false},
		{"publish:*", "player/ada", true, false, false},
		{"publish:player/*", "player/ada", false, true, false},
		{"publish:player/ada", "player/ada", false, true, false},
		{"publish:player/bob", "chat:lobby", false, false, false},
		{"publish:broadcast", "broadcast", false, false, true},
		{"subscribe:chat:*", "chat:lobby", false, false, false},
	}
	for _, c := range cases {
		t.Run(c.text+" on "+c.group, func(t *testing.T) {
			capability, known, err := ParseCapability(c.text)
			if !known || err != nil {
				t.Fatal("not known")
			}
			if got := capability.AllowsGroup(Publish, c.group); got != c.onGroup {
				t.Errorf("group: got %v", got)
			}
			if got := capability.AllowsPlayer(Publish, "ada"); got != c.onAda {
				t.Errorf("player: got %v", got)
			}
			if got := capability.AllowsBroadcast(Publish); got != c.onEach {
				t.Errorf("broadcast: got %v", got)
			}
		})
	}
}
