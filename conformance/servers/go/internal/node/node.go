// Package node is a Fanfare server of one process.
//
// One lock guards everything that connections share. What is done under it never waits: frames go into bounded queues, which a goroutine for
// each connection writes. So every order that PROTOCOL.md demands holds by construction, and a slow reader delays nobody.
package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/config"
	"fanfare.example/server/internal/wire"
	"github.com/coder/websocket"
)

// Path is where the protocol is served (FF-TR-005).
const Path = "/v1/connect"

// Node serves the apps of its settings.
type Node struct {
	settings  *config.Settings
	log       *slog.Logger
	now       func() time.Time
	secretKey []byte

	mu          sync.Mutex
	apps        map[string]*app
	connections map[*connection]struct{}
	closing     bool
	served      sync.WaitGroup
}

// New makes a node that serves nobody yet.
func New(settings *config.Settings, log *slog.Logger) *Node {
	node := &Node{
		settings:    settings,
		log:         log,
		now:         time.Now,
		secretKey:   make([]byte, 32),
		apps:        map[string]*app{},
		connections: map[*connection]struct{}{},
	}
	_, _ = rand.Read(node.secretKey) // never fails
	for id, appSettings := range settings.Apps {
		node.apps[id] = newApp(node, appSettings)
	}
	return node
}

// Handler serves the protocol at Path, and 404 elsewhere.
func (n *Node) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, n.upgrade)
	return mux
}

// Close sends every connection away with 4200 and waits for their ends, or for the context's.
func (n *Node) Close(ctx context.Context) {
	n.mu.Lock()
	n.closing = true
	for connection := range n.connections {
		connection.close(fanfarev1.CloseCode_CLOSE_CODE_GOING_AWAY, "the server is stopping")
	}
	n.mu.Unlock()
	ended := make(chan struct{})
	go func() { n.served.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// upgrade completes every upgrade; a refusal is a close code, because browsers hide anything else.
func (n *Node) upgrade(writer http.ResponseWriter, request *http.Request) {
	offered := offeredSubprotocols(request.Header)
	codec := wire.Select(offered)
	options := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // The origin is checked below, and refused by a close code (FF-TR-007).
		CompressionMode:    websocket.CompressionDisabled,
	}
	if codec != nil {
		options.Subprotocols = []string{codec.Subprotocol}
	} else if len(offered) > 0 {
		options.Subprotocols = offered[:1]
	}
	socket, err := websocket.Accept(writer, request, options)
	if err != nil {
		return
	}
	speaks := codec != nil
	if !speaks {
		codec = wire.Binary
	}
	c := newConnection(n, socket, codec, request.Header.Get("Origin"))
	n.mu.Lock()
	full := len(n.connections) >= n.settings.MaxConnections
	n.connections[c] = struct{}{}
	n.served.Add(1)
	switch {
	case n.closing:
		c.close(fanfarev1.CloseCode_CLOSE_CODE_GOING_AWAY, "the server is stopping")
	case !n.someAppAllows(c.origin):
		c.close(fanfarev1.CloseCode_CLOSE_CODE_ORIGIN_REFUSED, "this origin is on no app's list")
	case !speaks:
		c.close(fanfarev1.CloseCode_CLOSE_CODE_UNSUPPORTED_SUBPROTOCOL, "offer fanfare.v1.proto or fanfare.v1.json")
	case full:
		c.refuse(fanfarev1.CloseCode_CLOSE_CODE_OVERLOADED,
			failure(fanfarev1.ErrorCode_ERROR_CODE_LIMIT_EXCEEDED, "", "the server has as many connections as it may have"))
	}
	n.mu.Unlock()
	c.serve(request.Context())
	n.mu.Lock()
	delete(n.connections, c)
	n.mu.Unlock()
	n.served.Done()
}

func (n *Node) someAppAllows(origin string) bool {
	for _, app := range n.apps {
		if app.allowsOrigin(origin) {
			return true
		}
	}
	return false
}

// newOrigin draws a number that no other session of the app has (FF-HS-014).
func (a *app) newOrigin() uint64 {
	for {
		var bytes [8]byte
		_, _ = rand.Read(bytes[:])
		origin := binary.LittleEndian.Uint64(bytes[:])
		if origin != 0 && !a.hasOrigin(origin) {
			return origin
		}
	}
}

func offeredSubprotocols(header http.Header) []string {
	var offered []string
	for name := range strings.SplitSeq(strings.Join(header.Values("Sec-WebSocket-Protocol"), ","), ",") {
		offered = append(offered, strings.TrimSpace(name))
	}
	return slices.DeleteFunc(offered, func(name string) bool { return name == "" })
}
