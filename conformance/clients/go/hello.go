package fanfare

import (
	"runtime"
	"slices"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

const (
	// mostNamed and mostNamedBytes are how many subscriptions a hello holds: the bound of its field, and what servers take (FF-TR-017).
	mostNamed      = 256
	mostNamedBytes = 48 << 10
)

// hello is the first frame of a connection (section 4). The fields of features are set as far as the client names the feature here; a server that
// does not serve it takes no notice.
func (l *loop) hello(c *connection) *fanfarev1.Hello {
	l.attempt++
	hello := &fanfarev1.Hello{
		Token:         c.token,
		MinRevision:   1,
		MaxRevision:   1,
		Features:      l.config.Features,
		Client:        &fanfarev1.ClientInfo{Name: "fanfare-go", Version: "0.1.0", Platform: runtime.GOOS + " " + runtime.GOARCH},
		Attempt:       l.attempt,
		Subscriptions: l.named(),
	}
	if l.session != nil && l.session.secret != "" {
		hello.Resume = &fanfarev1.Resume{SessionId: l.session.id, Secret: l.session.secret, HandOver: c.handOver}
	}
	strip(hello.ProtoReflect(), func(feature string) bool {
		return feature == "" || slices.Contains(l.config.Features, feature)
	})
	return hello
}

// named lists what the client wants to keep, each channel once: what the application has asked for, also if it was not answered yet, and the
// server's own with a log, to say where they go on.
func (l *loop) named() []*fanfarev1.Subscribe {
	channels, asks := []Channel{}, map[Channel]*fanfarev1.Subscribe{}
	name := func(channel Channel, ask *fanfarev1.Subscribe) {
		if _, ok := asks[channel]; !ok {
			channels = append(channels, channel)
		}
		asks[channel] = ask
	}
	for _, s := range l.subscriptions.ordered() {
		if s.wanted != nil || s.position != nil {
			name(s.channel, s.goesOn())
		}
	}
	for _, r := range l.unanswered() {
		if ask := r.frame.GetSubscribe(); ask != nil {
			channel, _ := ChannelOf(ask.GetChannel())
			name(channel, proto.CloneOf(ask))
		} else if channel, _ := ChannelOf(r.frame.GetUnsubscribe().GetChannel()); asks[channel] != nil {
			channels = slices.DeleteFunc(channels, func(one Channel) bool { return one == channel })
			delete(asks, channel)
		}
	}
	named, bytes := []*fanfarev1.Subscribe{}, 0
	for _, channel := range channels {
		bytes += proto.Size(asks[channel])
		if len(named) < mostNamed && bytes < mostNamedBytes {
			named = append(named, asks[channel])
		}
	}
	return named
}

// unanswered are the subscribe and unsubscribe requests that were sent and not answered, in their order.
func (l *loop) unanswered() []*request {
	all := slices.Clone(l.unsettled)
	if l.current != nil && l.next != nil {
		for _, r := range l.current.inOrder() {
			if r.frame.GetSubscribe() != nil || r.frame.GetUnsubscribe() != nil {
				all = append(all, r)
			}
		}
	}
	return all
}
