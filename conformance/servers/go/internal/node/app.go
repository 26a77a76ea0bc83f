package node

import (
	"slices"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/config"
)

// maxTombstones bounds what an app remembers of sessions that were ended; beyond it the oldest is forgotten, and its resume gets a new session.
const maxTombstones = 10_000

// app is one tenant. Nothing crosses apps (FF-SC-001).
type app struct {
	node       *Node
	settings   *config.App
	sessions   map[string]*session
	players    map[string]*player
	channels   map[channelKey]*channel
	tombstones map[string]tombstone
	graves     []string
}

// tombstone says how a session was ended, for its window.
type tombstone struct {
	code  fanfarev1.CloseCode
	until time.Time
}

// player is a user of the app who has sessions.
type player struct {
	id       string
	sessions map[*session]struct{}
}

func newApp(node *Node, settings *config.App) *app {
	return &app{
		node:       node,
		settings:   settings,
		sessions:   map[string]*session{},
		players:    map[string]*player{},
		channels:   map[channelKey]*channel{},
		tombstones: map[string]tombstone{},
	}
}

// allowsOrigin takes a request without an origin for one that no browser page has sent.
func (a *app) allowsOrigin(origin string) bool {
	return origin == "" || slices.Contains(a.settings.AllowedOrigins, origin)
}

func (a *app) hasOrigin(origin uint64) bool {
	for _, session := range a.sessions {
		if session.origin == origin {
			return true
		}
	}
	return false
}

// bury remembers for the resume window how a session was ended (FF-SE-006).
func (a *app) bury(id string, code fanfarev1.CloseCode) {
	now := a.node.now()
	for len(a.graves) > 0 && (len(a.graves) >= maxTombstones || !now.Before(a.tombstones[a.graves[0]].until)) {
		delete(a.tombstones, a.graves[0])
		a.graves = a.graves[1:]
	}
	a.tombstones[id] = tombstone{code, now.Add(a.node.settings.ResumeWindow)}
	a.graves = append(a.graves, id)
}

// playerOf finds or makes a player; one without sessions is forgotten with its last.
func (a *app) playerOf(id string) *player {
	if a.players[id] == nil {
		a.players[id] = &player{id: id, sessions: map[*session]struct{}{}}
	}
	return a.players[id]
}

func (p *player) connections() int {
	count := 0
	for session := range p.sessions {
		if session.connection != nil {
			count++
		}
	}
	return count
}
