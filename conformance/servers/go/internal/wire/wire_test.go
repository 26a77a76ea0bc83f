package wire

import (
	"strings"
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func parse(t *testing.T, text string) *fanfarev1.ClientFrame {
	t.Helper()
	var frame fanfarev1.ClientFrame
	if err := protojson.Unmarshal([]byte(text), &frame); err != nil {
		t.Fatal(err)
	}
	return &frame
}

func TestCheckBounds(t *testing.T) {
	long := strings.Repeat("x", 256)
	cases := []struct{ name, frame, field string }{
		{"a good publish", `{"publish":{"channel":{"group":"chat:lobby"},"seq":"1"}}`, ""},
		{"no channel", `{"publish":{"seq":"1"}}`, "publish.channel"},
		{"no kind of channel", `{"publish":{"channel":{},"seq":"1"}}`, "publish.channel.kind"},
		{"an empty name", `{"publish":{"channel":{"group":""},"seq":"1"}}`, "publish.channel.group"},
		{"a name that is too long", `{"publish":{"channel":{"group":"` + long + `"},"seq":"1"}}`, "publish.channel.group"},
		{"a name with a space", `{"publish":{"channel":{"player":"a b"},"seq":"1"}}`, "publish.channel.player"},
		{"broadcast false", `{"publish":{"channel":{"broadcast":false},"seq":"1"}}`, "publish.channel.broadcast"},
		{"no seq", `{"publish":{"channel":{"broadcast":true}}}`, "publish.seq"},
		{"a seq of 2^53", `{"publish":{"channel":{"broadcast":true},"seq":"9007199254740992"}}`, "publish.seq"},
		{"a field of a field", `{"publish":{"channel":{"broadcast":true},"seq":"1","payload":{"type":"a b"}}}`, "publish.payload.type"},
		{"a list's element", `{"hello":{"token":"t","attempt":1,"features":["resume","a b"]}}`, "hello.features[1]"},
		{"a list's message", `{"hello":{"token":"t","attempt":1,"subscriptions":[{"channel":{"group":""}}]}}`, "hello.subscriptions[0].channel.group"},
		{"no attempt", `{"hello":{"token":"t"}}`, "hello.attempt"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			kind := KindOf(parse(t, c.frame))
			violation := CheckBounds(kind.Body, kind.Name)
			switch {
			case violation == nil && c.field != "":
				t.Errorf("found nothing, want %s", c.field)
			case violation != nil && violation.Field != c.field:
				t.Errorf("found %s, want %q", violation.Field, c.field)
			}
		})
	}
}

func TestStrip(t *testing.T) {
	text := `{"hello":{"token":"t","attempt":1,"resume":{"sessionId":"s","secret":"x","handOver":true},
		"subscriptions":[{"channel":{"broadcast":true},"presence":true,"rewind":3}]}}`
	cases := []struct {
		name     string
		features Features
		want     string
	}{
		{"nothing in force", Features{}, `{"hello":{"token":"t","attempt":1,"subscriptions":[{"channel":{"broadcast":true}}]}}`},
		{"resume and presence", Features{Resume: true, Presence: true}, `{"hello":{"token":"t","attempt":1,
			"resume":{"sessionId":"s","secret":"x"},"subscriptions":[{"channel":{"broadcast":true},"presence":true}]}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			frame := parse(t, text)
			Strip(frame.GetHello().ProtoReflect(), c.features)
			if want := parse(t, c.want); !proto.Equal(frame, want) {
				t.Errorf("got %v, want %v", frame, want)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	ping := &fanfarev1.ServerFrame{Id: 7, Kind: &fanfarev1.ServerFrame_Ping{Ping: &fanfarev1.Ping{SentAtUs: 5}}}
	dropped := &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Dropped{Dropped: &fanfarev1.Dropped{Count: 3}}}
	want := &fanfarev1.ServerFrames{Frames: []*fanfarev1.ServerFrame{ping, dropped}}
	decoders := map[*Codec]func([]byte, proto.Message) error{Binary: proto.Unmarshal, JSON: protojson.Unmarshal}
	for codec, decode := range decoders {
		t.Run(codec.Subprotocol, func(t *testing.T) {
			var got fanfarev1.ServerFrames
			if err := decode(codec.Join([][]byte{codec.Encode(ping), codec.Encode(dropped)}), &got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(&got, want) {
				t.Errorf("got %v, want %v", &got, want)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	cases := []struct {
		offered []string
		want    *Codec
	}{
		{[]string{"fanfare.v1.json", "fanfare.v1.proto"}, JSON},
		{[]string{"other", "fanfare.v1.proto"}, Binary},
		{[]string{"other"}, nil},
		{nil, nil},
	}
	for _, c := range cases {
		if got := Select(c.offered); got != c.want {
			t.Errorf("of %v: got %v", c.offered, got)
		}
	}
}

func TestEndsSession(t *testing.T) {
	cases := map[fanfarev1.CloseCode]bool{4000: true, 4001: true, 4011: true, 4009: false, 4100: false, 4300: false, 4399: false}
	for code, want := range cases {
		if got := EndsSession(code); got != want {
			t.Errorf("%v: got %v", code, got)
		}
	}
}
