// Package token verifies the tokens of players (PROTOCOL.md, section 27).
package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

var (
	// ErrInvalid says that a token does not verify, or that a claim is missing or wrong. What exactly is nobody's business.
	ErrInvalid = errors.New("the token does not verify")
	// ErrExpired says that a token was good and has expired.
	ErrExpired = errors.New("the token has expired")
)

// Claims are what a verified token says.
type Claims struct {
	Player    string
	App       string
	ExpiresAt time.Time
	Groups    []string
	Caps      []Capability
}

// Issuance is what an app demands of its tokens beside a good signature.
type Issuance struct {
	Keys     []Key
	Leeway   time.Duration
	Issuer   string
	Audience string
}

// Verify checks a token against the app that it names. Keys and their algorithms come from the app, never from the token (FF-TK-001 to
// FF-TK-005).
func Verify(text string, appOf func(id string) (Issuance, bool), now time.Time) (Claims, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Claims{}, ErrInvalid
	}
	header, err := decodeObject(parts[0])
	if err != nil || header["crit"] != nil {
		return Claims{}, ErrInvalid
	}
	body, err := decodeObject(parts[1])
	if err != nil {
		return Claims{}, ErrInvalid
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return Claims{}, ErrInvalid
	}
	claims, err := readClaims(body)
	if err != nil {
		return Claims{}, err
	}
	app, served := appOf(claims.App)
	if !served || !signed(app.Keys, header, []byte(parts[0]+"."+parts[1]), signature) {
		return Claims{}, ErrInvalid
	}
	if app.Issuer != "" && !names(body["iss"], app.Issuer) || app.Audience != "" && !names(body["aud"], app.Audience) {
		return Claims{}, ErrInvalid
	}
	if !now.Before(claims.ExpiresAt.Add(app.Leeway)) {
		return Claims{}, ErrExpired
	}
	return claims, nil
}

// signed tries the key that the header names by `kid`, or every one of its algorithm if none has that id.
func signed(keys []Key, header map[string]json.RawMessage, text, signature []byte) bool {
	var algorithm, id string
	if json.Unmarshal(header["alg"], &algorithm) != nil {
		return false
	}
	if header["kid"] != nil && json.Unmarshal(header["kid"], &id) != nil {
		return false
	}
	named := slices.ContainsFunc(keys, func(key Key) bool { return id != "" && key.ID == id })
	return slices.ContainsFunc(keys, func(key Key) bool {
		return key.Algorithm == algorithm && (!named || key.ID == id) && key.verify(text, signature)
	})
}

func readClaims(body map[string]json.RawMessage) (Claims, error) {
	var claims Claims
	var expires float64
	var caps []string
	required := func(name string, into any) bool { return body[name] != nil && json.Unmarshal(body[name], into) == nil }
	optional := func(name string, into any) bool { return body[name] == nil || json.Unmarshal(body[name], into) == nil }
	if !required("sub", &claims.Player) || !required("app", &claims.App) || !required("exp", &expires) ||
		string(body["exp"]) == "null" || !optional("groups", &claims.Groups) || !optional("caps", &caps) {
		return Claims{}, ErrInvalid
	}
	const latest = 1 << 40 // seconds: what is later overflows, and means never
	isNoGroup := func(group string) bool { return !isName(group, 255) }
	if !isName(claims.Player, 128) || slices.ContainsFunc(claims.Groups, isNoGroup) || !(expires > -latest && expires < latest) {
		return Claims{}, ErrInvalid
	}
	slices.Sort(claims.Groups)
	claims.Groups = slices.Compact(claims.Groups)
	claims.ExpiresAt = time.UnixMilli(int64(expires * 1000))
	for _, text := range caps {
		capability, known, err := ParseCapability(text)
		if err != nil {
			return Claims{}, ErrInvalid
		}
		if known {
			claims.Caps = append(claims.Caps, capability)
		}
	}
	return claims, nil
}

// isName says whether a player or group can be called so.
func isName(text string, most int) bool {
	const name = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:@/+=~"
	return len(text) >= 1 && len(text) <= most && strings.Trim(text, name) == ""
}

// names says whether a claim is the string, or an array that holds it.
func names(claim json.RawMessage, wanted string) bool {
	var one string
	if json.Unmarshal(claim, &one) == nil {
		return one == wanted
	}
	var several []string
	return json.Unmarshal(claim, &several) == nil && slices.Contains(several, wanted)
}

// decodeObject reads one part of a token. A map, because Go's structs would take `SUB` for `sub`.
func decodeObject(part string) (map[string]json.RawMessage, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	return object, json.Unmarshal(text, &object)
}
