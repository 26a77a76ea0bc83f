package main

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// dropper dials for the client and can end what it has dialled as if the network had.
type dropper struct {
	mu          sync.Mutex
	connections map[net.Conn]bool
}

func newDropper() *dropper { return &dropper{connections: map[net.Conn]bool{}} }

func (d *dropper) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.connections[connection] = true
		return &dialled{connection, d}, nil
	}}}
}

func (d *dropper) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for connection := range d.connections {
		_ = connection.Close()
	}
	clear(d.connections)
}

// dialled is forgotten when it is closed.
type dialled struct {
	net.Conn
	dropper *dropper
}

func (c *dialled) Close() error {
	c.dropper.mu.Lock()
	delete(c.dropper.connections, c.Conn)
	c.dropper.mu.Unlock()
	return c.Conn.Close()
}
