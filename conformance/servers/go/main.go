// Command server is a small single-node Fanfare server: a second implementation, written from docs/PROTOCOL.md and the proto files alone.
//
// It serves with the configuration that -config names until its standard input ends, and prints one line of JSON with its addresses when it
// does, as conformance runs want it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"fanfare.example/server/internal/config"
	"fanfare.example/server/internal/node"
)

func main() {
	path := flag.String("config", "", "file with a fanfare.config.v1.ServerConfig, in YAML or JSON")
	withoutDurable := flag.Bool("without-durable", false, "leave durable namespaces out instead of refusing the configuration")
	flag.Parse()
	durable := config.Refuse
	if *withoutDurable {
		durable = config.LeaveOut
	}
	if err := run(*path, durable); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string, durable config.Unserved) error {
	settings, err := config.Load(path, durable)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.Host, strconv.Itoa(settings.Port)))
	if err != nil {
		return err
	}
	fanfare := node.New(settings, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	server := &http.Server{Handler: fanfare.Handler(), ReadHeaderTimeout: settings.HelloTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	ready := map[string][]string{"addresses": {"ws://" + listener.Addr().String() + node.Path}}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	inputEnded := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(inputEnded)
	}()
	select {
	case err := <-served:
		return err
	case <-inputEnded:
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	fanfare.Close(ctx)
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
