package config

import (
	"testing"
	"time"

	configv1 "fanfare.example/server/gen/fanfare/config/v1"
)

func TestLoadReadsTheFixtures(t *testing.T) {
	settings, err := Load("../../../../fixtures/server-config.yaml", LeaveOut)
	if err != nil {
		t.Fatal(err)
	}
	alpha := settings.Apps["alpha"]
	if alpha == nil || len(alpha.Keys) != 4 || settings.Apps["beta"] == nil {
		t.Errorf("apps: %v", settings.Apps)
	}
	if got := alpha.Namespaces["guild"].GetPublish(); got != configv1.Access_ACCESS_MEMBERS {
		t.Errorf("guild: %v", got)
	}
	if _, known := alpha.Namespaces["log"]; known {
		t.Error("a durable namespace is served")
	}
	if settings.HelloTimeout != 1500*time.Millisecond || settings.Limits.GetPublishBurst() != 40 {
		t.Errorf("hello timeout %v, burst %v", settings.HelloTimeout, settings.Limits.GetPublishBurst())
	}
}

func TestParseRefusesWhatIsNotServed(t *testing.T) {
	cases := map[string]string{
		"durable channels":           `apps: [{id: a, namespaces: [{name: n, rules: {deliveryClass: DELIVERY_CLASS_DURABLE}}]}]`,
		"a backend":                  `apps: [{id: a, namespaces: [{name: n, rules: {backendPublish: BACKEND_MODE_ASK}}]}]`,
		"a key without an algorithm": `apps: [{id: a, playerAuth: {keys: [{id: k, secret: "0123456789 0123456789 0123456789"}]}}]`,
		"an unknown field":           `nodeName: x`,
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(text), Refuse); err == nil {
				t.Error("it was taken")
			}
		})
	}
}
