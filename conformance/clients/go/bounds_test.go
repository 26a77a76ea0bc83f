package fanfare

import (
	"strings"
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func TestBoundsAreThoseOfTheProtoFiles(t *testing.T) {
	publish := func(change func(*fanfarev1.Publish)) *fanfarev1.ClientFrame {
		p := &fanfarev1.Publish{Channel: Group("lobby").Wire(), Payload: Text("hello"), Seq: 1}
		change(p)
		return &fanfarev1.ClientFrame{Kind: &fanfarev1.ClientFrame_Publish{Publish: p}}
	}
	for field, frame := range map[string]*fanfarev1.ClientFrame{
		"":                        publish(func(*fanfarev1.Publish) {}),
		"publish.channel":         publish(func(p *fanfarev1.Publish) { p.Channel = nil }),
		"publish.channel.kind":    publish(func(p *fanfarev1.Publish) { p.Channel = Channel{}.Wire() }),
		"publish.channel.group":   publish(func(p *fanfarev1.Publish) { p.Channel = Group("with blank").Wire() }),
		"publish.channel.player":  publish(func(p *fanfarev1.Publish) { p.Channel = Player("").Wire() }),
		"publish.seq":             publish(func(p *fanfarev1.Publish) { p.Seq = 0 }),
		"publish.conflation_key":  publish(func(p *fanfarev1.Publish) { p.ConflationKey = strings.Repeat("ä", 33) }),
		"publish.ttl_ms":          publish(func(p *fanfarev1.Publish) { p.TtlMs = 2_592_000_001 }),
		"publish.payload.text":    publish(func(p *fanfarev1.Publish) { p.Payload = Text("\xff") }),
		"publish.payload.type":    publish(func(p *fanfarev1.Publish) { p.Payload = Binary("a b", nil) }),
		"subscribe.rewind":        {Kind: &fanfarev1.ClientFrame_Subscribe{Subscribe: &fanfarev1.Subscribe{Channel: Group("a").Wire(), Start: &fanfarev1.Subscribe_Rewind{Rewind: 10_001}}}},
		"cursor_commit.position":  {Kind: &fanfarev1.ClientFrame_CursorCommit{CursorCommit: &fanfarev1.CursorCommit{Channel: Group("a").Wire()}}},
		"rpc_result.result":       {Kind: &fanfarev1.ClientFrame_RpcResult{RpcResult: &fanfarev1.RpcResult{}}},
		"publish.payload.binary":  publish(func(p *fanfarev1.Publish) { p.Payload = Binary("", make([]byte, 1<<20+1)) }),
		"subscribe.channel.group": {Kind: &fanfarev1.ClientFrame_Subscribe{Subscribe: &fanfarev1.Subscribe{Channel: Group(strings.Repeat("x", 256)).Wire()}}},
	} {
		err := checkFrame(frame)
		if field == "" {
			if err != nil {
				t.Errorf("[FF-BD-001] a good frame: %v", err)
			}
			continue
		}
		if refused, ok := err.(*Error); !ok || refused.Field != field {
			t.Errorf("[FF-BD-001] %s: %v", field, err)
		}
	}
}

func TestCutEndsAtACharacter(t *testing.T) {
	if got := cut("aäöü", 4); got != "aä" {
		t.Errorf("got %q", got)
	}
}
