package token

import "strings"

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

// ParseCapability reads `<verb>:<pattern>`; false if the verb is not known.
func ParseCapability(text string) (Capability, bool) {
	verb, pattern, found := strings.Cut(text, ":")
	switch Verb(verb) {
	case Subscribe, Publish, Presence:
		return Capability{Verb(verb), pattern}, found
	default:
		return Capability{}, false
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
