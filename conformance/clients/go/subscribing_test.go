package fanfare

import (
	"errors"
	"fmt"
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// durable subscribes a channel at offset 0, as the server plays it.
func (n *fakeNetwork) durable(c *fakeConnection, channel Channel) {
	n.t.Helper()
	pending := n.client.StartSubscribe(channel, SubscribeOptions{})
	ask := (<-c.sent)
	c.subscribed(ask.GetId(), durableAt(&fanfarev1.Position{Epoch: 7}))
	if _, err := pending.Wait(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

func TestADurableChannelGoesOnAfterAHole(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		a.tell(entry(lobby, 1), entry(lobby, 2), entry(lobby, 4), entry(lobby, 5))
		n.want("before the answer", heard(n.events()), []string{"n1", "n2"})
		asks := a.frames()
		if len(asks) != 1 || asks[0].GetSubscribe().GetAfter().GetOffset() != 2 {
			t.Fatalf("[FF-DU-002] %v", asks)
		}
		a.tell(entry(lobby, 3))
		n.want("[FF-DU-002] while it is not answered", heard(n.events()), nil)
		a.subscribed(asks[0].GetId(), durableAt(&fanfarev1.Position{Epoch: 7, Offset: 2, Tag: 2}))
		a.tell(entry(lobby, 3), entry(lobby, 4))
		n.want("after the answer", heard(n.events()), []string{"n3", "n4"})
	})
}

func TestPositionsAreNamedOnAResume(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		a.tell(entry(lobby, 1))
		a.end(0)
		_, hello := n.next()
		if len(hello.GetSubscriptions()) != 1 || hello.GetSubscriptions()[0].GetAfter().GetOffset() != 1 {
			t.Errorf("[FF-DU-004] %v", hello.GetSubscriptions())
		}
	})
}

func TestRewindBringsWhatWasSeen(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		a.tell(entry(lobby, 1), entry(lobby, 2))
		rewinding := n.client.StartSubscribe(lobby, SubscribeOptions{Rewind: 2})
		ask := <-a.sent
		a.tell(entry(lobby, 3)) // still of the former reading
		a.subscribed(ask.GetId(), durableAt(&fanfarev1.Position{Epoch: 7, Offset: 1, Tag: 1}))
		a.tell(entry(lobby, 2), entry(lobby, 3))
		if _, err := rewinding.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.want("[FF-DU-005] heard", heard(n.events()), []string{"n1", "n2", "n3", "n2", "n3"})
	})
}

func TestSubscribingAgainGoesOn(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		a.tell(entry(lobby, 1))
		again := n.client.StartSubscribe(lobby, SubscribeOptions{})
		ask := <-a.sent
		a.tell(entry(lobby, 2)) // still of the former reading
		a.subscribed(ask.GetId(), durableAt(ask.GetSubscribe().GetAfter()))
		a.tell(entry(lobby, 2), entry(lobby, 3))
		if subscribed, err := again.Wait(t.Context()); err != nil || subscribed.Position.Offset != 1 {
			t.Errorf("%+v, %v", subscribed, err)
		}
		n.want("heard", heard(n.events()), []string{"n1", "n2", "n3"})
	})
}

func TestAFullQueueLeavesDurableMessagesInTheLog(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.durable(a, lobby)
		n.events()
		for offset := uint64(1); offset <= queueEvents+10; offset++ {
			a.tell(entry(lobby, offset))
		}
		n.want("nothing is asked before there is room", texts(a.frames()), nil)
		events := n.events()
		if len(events) != queueEvents {
			t.Fatalf("%d events", len(events))
		}
		asks := a.frames()
		if len(asks) != 1 || asks[0].GetSubscribe().GetAfter().GetOffset() != queueEvents {
			t.Errorf("[FF-DU-003] %v", asks)
		}
	})
}

func TestAnUnansweredSubscribeGoesIntoTheNextHello(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		pending := n.client.StartSubscribe(lobby, SubscribeOptions{})
		a.frames()
		a.end(0)
		b, hello := n.next()
		if len(hello.GetSubscriptions()) != 1 {
			t.Fatalf("%v", hello)
		}
		b.welcome(hello)
		if _, err := pending.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		b.tell(message(lobby, 1, "hi"))
		n.want("heard", heard(n.events()), []string{"hi"})
	})
}

func TestARefusalInTheWelcomeIsTold(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		pending := n.client.StartSubscribe(lobby, SubscribeOptions{})
		a.subscribed((<-a.sent).GetId(), &fanfarev1.Subscribed{})
		if _, err := pending.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.end(0)
		b, hello := n.next()
		b.welcome(hello, func(w *fanfarev1.Welcome) {
			w.Subscriptions[0].Result = &fanfarev1.SubscriptionResult_Error{
				Error: &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED},
			}
		})
		events := n.events()
		n.want("[FF-HS-017] events", heard(events), []string{"Ended"})
		var refused *Error
		if !errors.As(events[0].(Ended).Err, &refused) || refused.Code != fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED {
			t.Errorf("%v", events[0])
		}
		b.tell(message(lobby, 1, "stray"))
		n.want("[FF-SB-016] heard", heard(n.events()), nil)
	})
}

func TestWhatAHelloCannotHoldIsSubscribedAfterIt(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start(func(w *fanfarev1.Welcome) { w.Limits.MaxPendingRequests = 1000 })
		for i := range mostNamed + 1 {
			pending := n.client.StartSubscribe(Group(fmt.Sprint("g", i)), SubscribeOptions{})
			a.subscribed((<-a.sent).GetId(), &fanfarev1.Subscribed{})
			if _, err := pending.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		a.end(0)
		b, hello := n.next()
		if len(hello.GetSubscriptions()) != mostNamed {
			t.Fatalf("[FF-BD-001] %d subscriptions", len(hello.GetSubscriptions()))
		}
		b.welcome(hello)
		asks := b.frames()
		if len(asks) != 1 || asks[0].GetSubscribe().GetChannel().GetGroup() != fmt.Sprint("g", mostNamed) {
			t.Fatalf("%v", asks)
		}
		b.subscribed(asks[0].GetId(), &fanfarev1.Subscribed{})
		events := n.events()
		n.want("events", heard(events), []string{"Gap"})
	})
}

func TestWhatWasLeftStaysLeft(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		leaving := n.client.StartUnsubscribe(Broadcast())
		a.reply((<-a.sent).GetId(), &fanfarev1.Reply{Result: &fanfarev1.Reply_Unsubscribed{Unsubscribed: &fanfarev1.Unsubscribed{}}})
		if _, err := leaving.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.end(4203)
		b, hello := n.next()
		if hello.GetResume() != nil {
			t.Error("[FF-SE-017] the session is resumed")
		}
		b.welcome(hello)
		if asks := b.frames(); len(asks) != 1 || !asks[0].GetUnsubscribe().GetChannel().GetBroadcast() {
			t.Errorf("%v", asks)
		}
		b.tell(message(Broadcast(), 1, "unwanted"))
		n.want("heard", heard(n.events()), nil)
	})
}
