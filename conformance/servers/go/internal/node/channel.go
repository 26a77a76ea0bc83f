package node

import (
	"slices"
	"strings"

	configv1 "fanfare.example/server/gen/fanfare/config/v1"
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/token"
)

type channelKind int

const (
	playerChannel channelKind = iota
	groupChannel
	broadcastChannel
)

// channelKey names a channel of an app.
type channelKey struct {
	kind channelKind
	name string
}

func keyOf(message *fanfarev1.Channel) channelKey {
	switch kind := message.GetKind().(type) {
	case *fanfarev1.Channel_Player:
		return channelKey{playerChannel, kind.Player}
	case *fanfarev1.Channel_Group:
		return channelKey{groupChannel, kind.Group}
	default:
		return channelKey{broadcastChannel, ""}
	}
}

func (k channelKey) message() *fanfarev1.Channel {
	switch k.kind {
	case playerChannel:
		return &fanfarev1.Channel{Kind: &fanfarev1.Channel_Player{Player: k.name}}
	case groupChannel:
		return &fanfarev1.Channel{Kind: &fanfarev1.Channel_Group{Group: k.name}}
	default:
		return &fanfarev1.Channel{Kind: &fanfarev1.Channel_Broadcast{Broadcast: true}}
	}
}

// field is the name of the channel's member, for paths in errors.
func (k channelKey) field() string {
	return [...]string{"player", "group", "broadcast"}[k.kind]
}

// namespaceOf is what stands before the first colon of a group's name.
func namespaceOf(group string) string {
	if namespace, _, found := strings.Cut(group, ":"); found {
		return namespace
	}
	return "default"
}

// channel is one that somebody subscribes.
type channel struct {
	key         channelKey
	app         *app
	rules       *configv1.ChannelRules
	subscribers map[*session]*subscription
	roster      *roster
	flushing    bool
}

// rulesOf finds the rules of a channel; false if its namespace is not configured.
func (a *app) rulesOf(key channelKey) (*configv1.ChannelRules, bool) {
	switch key.kind {
	case playerChannel:
		return a.settings.PlayerRules, true
	case broadcastChannel:
		return a.settings.BroadcastRules, true
	default:
		rules, configured := a.settings.Namespaces[namespaceOf(key.name)]
		return rules, configured
	}
}

// open finds or makes the channel. It is forgotten with its last subscriber.
func (a *app) open(key channelKey) *channel {
	if existing := a.channels[key]; existing != nil {
		return existing
	}
	rules, _ := a.rulesOf(key)
	made := &channel{key: key, app: a, rules: rules, subscribers: map[*session]*subscription{}}
	if tellsPresence(rules) {
		made.roster = newRoster()
	}
	a.channels[key] = made
	return made
}

func tellsPresence(rules *configv1.ChannelRules) bool {
	return rules.GetPresence() == configv1.PresenceMode_PRESENCE_MODE_COUNTS ||
		rules.GetPresence() == configv1.PresenceMode_PRESENCE_MODE_MEMBERS
}

// maySubscribe asks the rules and the capabilities (FF-SB-008, FF-SB-009).
func (s *session) maySubscribe(key channelKey, path string) *fanfarev1.Error {
	return s.mayReceive(key, path, token.Subscribe)
}

// mayAsk says whether the player may be told who is in a channel: whoever may subscribe it, or has a capability for that (FF-PR-021).
func (s *session) mayAsk(key channelKey) *fanfarev1.Error {
	if key.kind == playerChannel && slices.ContainsFunc(s.claims.Caps, func(capability token.Capability) bool {
		return capability.AllowsPlayer(token.Presence, key.name)
	}) {
		return nil
	}
	return s.mayReceive(key, "presence", token.Subscribe, token.Presence)
}

// mayReceive allows by any of the verbs what the rules do not.
func (s *session) mayReceive(key channelKey, path string, verbs ...token.Verb) *fanfarev1.Error {
	path += ".channel." + key.field()
	switch key.kind {
	case broadcastChannel:
		return nil
	case playerChannel:
		if key.name == s.player.id {
			return nil
		}
		return failure(fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, path, "a session receives its own player's channel alone")
	}
	rules, configured := s.app.rulesOf(key)
	if !configured {
		return unknownNamespace(path)
	}
	if rules.GetSubscribe() == configv1.Access_ACCESS_ANYONE || s.isMember(key.name) {
		return nil
	}
	for _, capability := range s.claims.Caps {
		for _, verb := range verbs {
			if capability.AllowsGroup(verb, key.name) {
				return nil
			}
		}
	}
	return failure(fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, path, "the player may not receive this group")
}

// mayPublish asks the rules and the capabilities (FF-PB-001).
func (s *session) mayPublish(key channelKey, path string) *fanfarev1.Error {
	path += ".channel." + key.field()
	rules, configured := s.app.rulesOf(key)
	if !configured {
		return unknownNamespace(path)
	}
	switch rules.GetPublish() {
	case configv1.Access_ACCESS_ANYONE:
		return nil
	case configv1.Access_ACCESS_SUBSCRIBERS:
		if s.subscriptions[key] != nil {
			return nil
		}
	case configv1.Access_ACCESS_MEMBERS:
		if key.kind == groupChannel && s.isMember(key.name) || key.kind == playerChannel && key.name == s.player.id {
			return nil
		}
	}
	for _, capability := range s.claims.Caps {
		if key.kind == groupChannel && capability.AllowsGroup(token.Publish, key.name) ||
			key.kind == playerChannel && capability.AllowsPlayer(token.Publish, key.name) ||
			key.kind == broadcastChannel && capability.AllowsBroadcast(token.Publish) {
			return nil
		}
	}
	return failure(fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED, path, "the player may not publish here")
}

func unknownNamespace(path string) *fanfarev1.Error {
	return failure(fanfarev1.ErrorCode_ERROR_CODE_UNKNOWN_NAMESPACE, path, "the namespace is not configured")
}

// failure makes an error.
func failure(code fanfarev1.ErrorCode, field, message string) *fanfarev1.Error {
	return &fanfarev1.Error{Code: code, Field: field, Message: message}
}
