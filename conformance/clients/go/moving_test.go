package fanfare

import "testing"

func TestDestination(t *testing.T) {
	for name, test := range map[string]struct {
		url, told string
		allowed   []string
		isTaken   bool
	}{
		"none":                             {"wss://a.example/v1/connect", "", nil, false},
		"another path":                     {"wss://a.example/v1/connect", "wss://a.example/blue/connect", nil, true},
		"the default port":                 {"wss://a.example/v1/connect", "wss://a.example:443/v1/connect", nil, true},
		"another port":                     {"wss://a.example/v1/connect", "wss://a.example:444/v1/connect", nil, false},
		"another host":                     {"wss://a.example/v1/connect", "wss://b.example/v1/connect", nil, false},
		"another host that is allowed":     {"wss://a.example/v1/connect", "wss://b.example/v1/connect", []string{"wss://b.example"}, true},
		"a name that begins like it":       {"wss://a.example/v1/connect", "wss://a.example.evil/v1/connect", nil, false},
		"no TLS":                           {"wss://a.example/v1/connect", "ws://a.example/v1/connect", nil, false},
		"no TLS, however much allowed":     {"wss://a.example/v1/connect", "ws://b.example/v1/connect", []string{"ws://b.example"}, false},
		"no WebSocket":                     {"wss://a.example/v1/connect", "https://a.example/v1/connect", nil, false},
		"no URL":                           {"wss://a.example/v1/connect", "::", []string{"::"}, false},
		"TLS that the user has allowed":    {"ws://a.example/v1/connect", "wss://a.example/v1/connect", []string{"wss://a.example"}, true},
		"TLS that the user has not":        {"ws://a.example/v1/connect", "wss://a.example/v1/connect", nil, false},
		"credentials before the same host": {"wss://a.example/v1/connect", "wss://a.example@b.example/v1/connect", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := &loop{config: Config{URL: test.url, AllowedOrigins: test.allowed}}
			want := test.url
			if test.isTaken {
				want = test.told
			}
			if got := l.destination(test.url, test.told); got != want {
				t.Errorf("[FF-GO-007 FF-SC-007] %s leads to %s", test.told, got)
			}
		})
	}
}
