package fanfare

import (
	"testing"
	"testing/synctest"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func TestAMoveLosesNothingAndBringsNothingTwice(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		one := n.client.StartPublish(lobby, Text("one"), PublishOptions{})
		n.want("on the first", texts(a.frames()), []string{"one 1"})
		begun := time.Now()
		a.tell(goaway(600, ""))
		b, hello := n.next()
		if time.Since(begun) != 600*time.Millisecond || !hello.GetResume().GetHandOver() || hello.GetAttempt() != 2 {
			t.Errorf("[FF-GO-006 FF-GO-008] after %v: %v", time.Since(begun), hello)
		}
		two := n.client.StartPublish(lobby, Text("two"), PublishOptions{})
		b.welcome(hello)
		n.want("[FF-GO-009] on the second", texts(b.frames()), nil)
		b.tell(entry(lobby, 1), entry(lobby, 2), entry(lobby, 3), message(Broadcast(), 1, "early"))
		n.want("[FF-GO-010] held back", heard(n.events()), nil)
		a.tell(entry(lobby, 1), entry(lobby, 2), message(Broadcast(), 1, "early"))
		n.want("by the first", heard(n.events()), []string{"n1", "n2", "early"})
		a.tell(handedOver())
		n.want("released", heard(n.events()), []string{"n3"})
		again := b.frames()
		n.want("[FF-GO-012] repeated", texts(again), []string{"one 1", "two 2"})
		a.end(4201)
		b.delivered(again[0].GetId())
		b.delivered(again[1].GetId())
		for _, pending := range []*Pending[Published]{one, two} {
			if _, err := pending.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		if synctest.Wait(); len(n.dialled) > 0 {
			t.Error("[FF-GO-019] another connection")
		}
	})
}

func TestAMoveWithoutHandedOverIsAGap(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		a.tell(goaway(0, ""))
		b, hello := n.next()
		b.welcome(hello)
		b.tell(entry(lobby, 1), message(Broadcast(), 1, "held"))
		a.end(0)
		n.want("[FF-GO-011] events", heard(n.events()), []string{"Gap", "n1", "held"})
	})
}

func TestAMoveWhoseFirstEndsBeforeTheWelcome(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		a.tell(goaway(0, ""))
		b, hello := n.next()
		a.end(0)
		b.welcome(hello)
		events := n.events()
		n.want("[FF-GO-011] events", heard(events), []string{"Gap"})
		if gap := events[0].(Gap); gap.Channel != Broadcast() || gap.Reason != fanfarev1.GapReason_GAP_REASON_DETACHED {
			t.Errorf("%+v", gap)
		}
		n.client.StartPublish(lobby, Text("one"), PublishOptions{})
		n.want("on the second", texts(b.frames()), []string{"one 1"})
	})
}

func TestAMoveThatFailsIsTriedAgainWhileTheFirstServes(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		a.tell(goaway(0, ""))
		b, _ := n.next()
		n.client.StartPublish(lobby, Text("one"), PublishOptions{})
		n.want("while the second greets", texts(a.frames()), nil)
		b.end(4104)
		n.want("on the first again", texts(a.frames()), []string{"one 1"})
		begun := time.Now()
		c, hello := n.next()
		if waited := time.Since(begun); waited != time.Second || hello.GetAttempt() != 3 {
			t.Errorf("[FF-BO-002] attempt %d after %v", hello.GetAttempt(), waited)
		}
		c.end(4010)
		time.Sleep(time.Minute)
		if synctest.Wait(); len(n.dialled) > 0 {
			t.Error("[FF-CL-001] it is tried again after never")
		}
		a.end(4200)
		n.want("events", heard(n.events()), []string{"Closed"})
	})
}

func TestWithoutHandOverAClientLeavesInTime(t *testing.T) {
	inBubble(t, Config{Features: []string{"resume"}}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		begun := time.Now()
		a.tell(goaway(600, "ws://a.example/elsewhere"))
		b, hello := n.next()
		if time.Since(begun) != 600*time.Millisecond || b.url != "ws://a.example/elsewhere" || hello.GetResume().GetHandOver() {
			t.Errorf("[FF-GO-006] after %v to %s: %v", time.Since(begun), b.url, hello)
		}
		if a.code != 0 {
			t.Errorf("closed with %v", a.code)
		}
	})
}
