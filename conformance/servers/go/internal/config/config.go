// Package config reads a server's configuration and puts defaults in the place of what it leaves out.
package config

import (
	"fmt"
	"os"
	"time"

	configv1 "fanfare.example/server/gen/fanfare/config/v1"
	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"fanfare.example/server/internal/token"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"
)

// Settings are what a node is made of.
type Settings struct {
	NodeID string
	Host   string
	Port   int
	Apps   map[string]*App

	HelloTimeout         time.Duration
	HeartbeatInterval    time.Duration
	HeartbeatIntervalMin time.Duration
	HeartbeatIntervalMax time.Duration
	HeartbeatTimeout     time.Duration
	ResumeWindow         time.Duration
	ReconnectWindow      time.Duration
	PresenceTick         time.Duration

	Limits                  *fanfarev1.Limits
	MaxConnections          int
	MaxConnectionsPerPlayer int
	SendQueueBytes          int
	SendQueueStall          time.Duration
}

// App is one tenant.
type App struct {
	ID             string
	Keys           []token.Key
	Leeway         time.Duration
	Issuer         string
	Audience       string
	AllowedOrigins []string
	Namespaces     map[string]*configv1.ChannelRules
	PlayerRules    *configv1.ChannelRules
	BroadcastRules *configv1.ChannelRules
}

// Unserved says what becomes of a namespace that this server cannot serve.
type Unserved int

const (
	// Refuse the whole configuration.
	Refuse Unserved = iota
	// LeaveOut serves the rest, and answers for that namespace as for any that is not configured.
	LeaveOut
)

// Load reads a fanfare.config.v1.ServerConfig from a file of YAML or JSON.
func Load(path string, durable Unserved) (*Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(text, durable)
}

// Parse reads a fanfare.config.v1.ServerConfig from YAML or JSON. It refuses what this server does not serve, except durable namespaces where it is
// told to leave them out.
func Parse(text []byte, durable Unserved) (*Settings, error) {
	json, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var file configv1.ServerConfig
	if err := protojson.Unmarshal(json, &file); err != nil {
		return nil, err
	}
	timing, limits := file.GetTiming(), file.GetLimits()
	if timing == nil {
		timing = &configv1.Timing{}
	}
	if limits == nil {
		limits = &configv1.Limits{}
	}
	settings := &Settings{
		NodeID: orString(file.GetNodeId(), "go"),
		Host:   orString(file.GetListen().GetHost(), "127.0.0.1"),
		Port:   int(file.GetListen().GetPort()),
		Apps:   map[string]*App{},

		HelloTimeout:         milliseconds(timing.HelloTimeoutMs, 10_000),
		HeartbeatInterval:    milliseconds(timing.HeartbeatIntervalMs, 25_000),
		HeartbeatIntervalMin: milliseconds(timing.HeartbeatIntervalMinMs, 5_000),
		HeartbeatIntervalMax: milliseconds(timing.HeartbeatIntervalMaxMs, 60_000),
		HeartbeatTimeout:     milliseconds(timing.HeartbeatTimeoutMs, 10_000),
		ResumeWindow:         milliseconds(timing.ResumeWindowMs, 60_000),
		ReconnectWindow:      milliseconds(timing.ReconnectWindowMs, 2_000),
		PresenceTick:         milliseconds(timing.PresenceTickMs, 100),

		Limits: &fanfarev1.Limits{
			MaxFrameBytes:        or(limits.MaxFrameBytes, 131_072),
			MaxPayloadBytes:      or(limits.MaxPayloadBytes, 65_536),
			MaxSubscriptions:     or(limits.MaxSubscriptions, 128),
			PublishesPerSecond:   or(limits.PublishesPerSecond, 100),
			PublishBurst:         or(limits.PublishBurst, 200),
			MaxPendingRequests:   or(limits.MaxPendingRequests, 256),
			FramesPerSecond:      or(limits.FramesPerSecond, 500),
			BytesPerSecond:       or(limits.BytesPerSecond, 1_048_576),
			MaxPresenceDataBytes: or(limits.MaxPresenceDataBytes, 4_096),
		},
		MaxConnections:          int(or(limits.MaxConnections, 10_000)),
		MaxConnectionsPerPlayer: int(or(limits.MaxConnectionsPerPlayer, 16)),
		SendQueueBytes:          int(or(limits.SendQueueBytes, 1_048_576)),
		SendQueueStall:          milliseconds(limits.SendQueueStallMs, 30_000),
	}
	for _, app := range file.GetApps() {
		parsed, err := parseApp(app, durable)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", app.GetId(), err)
		}
		settings.Apps[parsed.ID] = parsed
	}
	return settings, nil
}

func parseApp(file *configv1.App, durable Unserved) (*App, error) {
	app := &App{
		ID:             file.GetId(),
		Leeway:         time.Duration(file.GetPlayerAuth().GetLeewayS()) * time.Second,
		Issuer:         file.GetPlayerAuth().GetIssuer(),
		Audience:       file.GetPlayerAuth().GetAudience(),
		AllowedOrigins: file.GetAllowedOrigins(),
		Namespaces:     map[string]*configv1.ChannelRules{},
		PlayerRules:    file.GetPlayerRules(),
		BroadcastRules: file.GetBroadcastRules(),
	}
	for _, key := range file.GetPlayerAuth().GetKeys() {
		parsed, err := parseKey(key)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", key.GetId(), err)
		}
		app.Keys = append(app.Keys, parsed)
	}
	for _, namespace := range file.GetNamespaces() {
		rules := namespace.GetRules()
		if rules.GetDeliveryClass() == fanfarev1.DeliveryClass_DELIVERY_CLASS_DURABLE {
			if durable == LeaveOut {
				continue
			}
			return nil, fmt.Errorf("namespace %s: this server has no durable channels", namespace.GetName())
		}
		if rules.GetBackendPublish() > configv1.BackendMode_BACKEND_MODE_DIRECT ||
			rules.GetBackendSubscribe() > configv1.BackendMode_BACKEND_MODE_DIRECT {
			return nil, fmt.Errorf("namespace %s: this server asks no backend", namespace.GetName())
		}
		app.Namespaces[namespace.GetName()] = rules
	}
	return app, nil
}

func parseKey(key *configv1.PlayerKey) (token.Key, error) {
	switch key.GetAlgorithm() {
	case configv1.TokenAlgorithm_TOKEN_ALGORITHM_HS256:
		return token.NewSecretKey(key.GetId(), key.GetSecret())
	case configv1.TokenAlgorithm_TOKEN_ALGORITHM_RS256:
		return token.NewPublicKey(key.GetId(), token.RS256, key.GetPublicKeyPem())
	case configv1.TokenAlgorithm_TOKEN_ALGORITHM_ES256:
		return token.NewPublicKey(key.GetId(), token.ES256, key.GetPublicKeyPem())
	case configv1.TokenAlgorithm_TOKEN_ALGORITHM_EDDSA:
		return token.NewPublicKey(key.GetId(), token.EdDSA, key.GetPublicKeyPem())
	default:
		return token.Key{}, fmt.Errorf("algorithm %v is not served", key.GetAlgorithm())
	}
}

func milliseconds(value *uint32, otherwise uint32) time.Duration {
	return time.Duration(or(value, otherwise)) * time.Millisecond
}

func or(value *uint32, otherwise uint32) uint32 {
	if value == nil {
		return otherwise
	}
	return *value
}

func orString(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
