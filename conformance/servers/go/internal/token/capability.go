package token

import (
	"fmt"
	"strings"
)

// Verb is what a capability allows.
type Verb string

// The verbs of this revision. Others are ignored (FF-TK-006).
const (
	Subscribe Verb = "subscribe"
	Publish   Verb = "publish"
	Presence  Verb = "presence"
)

// Capability is one entry of the claim `caps`: what the player may do beyond the rules of namespaces.
type Capability struct {
	verb    Verb
	pattern string
}

// ParseCapability reads `<verb>:<pattern>`. It is not known if its verb is not.
func ParseCapability(text string) (capability Capability, known bool, err error) {
	verb, pattern, found := strings.Cut(text, ":")
	if !found || verb == "" || pattern == "" {
		return Capability{}, false, fmt.Errorf("%q is no verb and pattern", text)
	}
	switch Verb(verb) {
	case Subscribe, Publish, Presence:
		return Capability{Verb(verb), pattern}, true, nil
	default:
		return Capability{}, false, nil
	}
}

// AllowsGroup says whether it covers a group. `broadcast` and `player/…` never mean groups.
func (c Capability) AllowsGroup(verb Verb, group string) bool {
	if c.verb != verb || c.pattern == "broadcast" || strings.HasPrefix(c.pattern, "player/") {
		return false
	}
	if prefix, isPrefix := strings.CutSuffix(c.pattern, "*"); isPrefix {
		return strings.HasPrefix(group, prefix)
	}
	return c.pattern == group
}

// AllowsPlayer says whether it covers the channel of a player.
func (c Capability) AllowsPlayer(verb Verb, player string) bool {
	return c.verb == verb && (c.pattern == "player/*" || c.pattern == "player/"+player)
}

// AllowsBroadcast says whether it covers broadcast.
func (c Capability) AllowsBroadcast(verb Verb) bool {
	return c.verb == verb && c.pattern == "broadcast"
}
