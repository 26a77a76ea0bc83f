package fanfare

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

var lobby = Group("chat:lobby")

func TestUnansweredPublishesAreRepeatedBeforeNewerOnes(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		one := n.client.StartPublish(lobby, Text("one"), PublishOptions{})
		two := n.client.StartPublish(lobby, Text("two"), PublishOptions{})
		if err := n.client.Send(lobby, Text("volatile"), PublishOptions{}); err != nil {
			t.Fatal(err)
		}
		sent := a.frames()
		n.want("sent", texts(sent), []string{"one 1", "two 2", "volatile 3"})
		a.end(0)
		three := n.client.StartPublish(lobby, Text("three"), PublishOptions{})
		if err := n.client.Send(lobby, Text("lost"), PublishOptions{}); err != ErrDropped {
			t.Error("[FF-PB-017] a volatile message waits")
		}
		b, hello := n.next()
		if hello.GetAttempt() != 2 || hello.GetResume().GetSecret() != "secret-1" {
			t.Errorf("[FF-HS-018 FF-SE-015] %v", hello)
		}
		b.welcome(hello)
		again := b.frames()
		n.want("[FF-ID-002 FF-ID-003 FF-ID-006] repeated", texts(again), []string{"one 1", "two 2", "three 4"})
		for i, pending := range []*Pending[Published]{one, two, three} {
			b.delivered(again[i].GetId())
			if published, err := pending.Wait(t.Context()); err != nil {
				t.Errorf("%v, %v", published, err)
			}
		}
	})
}

func TestALostSessionLeavesPublishesUnknown(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		one := n.client.StartPublish(lobby, Text("one"), PublishOptions{})
		a.frames()
		a.end(0)
		b, hello := n.next()
		unsent := n.client.StartPublish(lobby, Text("unsent"), PublishOptions{})
		b.welcome(hello, func(w *fanfarev1.Welcome) { w.SessionId, w.Resumed = "s2", false })
		published, err := one.Wait(t.Context())
		if err == nil || published.Outcome != fanfarev1.Outcome_OUTCOME_UNKNOWN {
			t.Errorf("[FF-ID-005] %v, %v", published, err)
		}
		sent := b.frames()
		n.want("what was never sent, counted anew", texts(sent), []string{"unsent 1"})
		b.delivered(sent[0].GetId())
		if _, err := unsent.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestGivingUpDoesNotCallBackWhatWasSent(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		published, err := n.client.Publish(ctx, lobby, Text("one"), PublishOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || published.Outcome != fanfarev1.Outcome_OUTCOME_UNKNOWN {
			t.Errorf("%v, %v", published, err)
		}
		a.end(0)
		waiting, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		published, err = n.client.Publish(waiting, lobby, Text("two"), PublishOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || published.Outcome != fanfarev1.Outcome_OUTCOME_UNSPECIFIED {
			t.Errorf("%v, %v", published, err)
		}
		b, hello := n.next()
		b.welcome(hello)
		n.want("[FF-ID-002] repeated", texts(b.frames()), []string{"one 1"})
	})
}

func TestRequestsWaitForTheirTurn(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start(func(w *fanfarev1.Welcome) { w.Limits.MaxPendingRequests = 2 })
		for _, text := range []string{"one", "two", "three"} {
			n.client.StartPublish(lobby, Text(text), PublishOptions{})
		}
		sent := a.frames()
		n.want("[FF-LI-001] sent", texts(sent), []string{"one 1", "two 2"})
		a.delivered(sent[1].GetId())
		n.want("sent after a reply", texts(a.frames()), []string{"three 3"})
	})
}

func TestSilenceEndsAConnection(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start(func(w *fanfarev1.Welcome) { w.HeartbeatIntervalMs, w.HeartbeatTimeoutMs = 1000, 500 })
		time.Sleep(1400 * time.Millisecond)
		a.tell()
		time.Sleep(1400 * time.Millisecond)
		synctest.Wait()
		select {
		case <-a.ended:
			t.Error("[FF-HB-004] an empty message is no sign of life")
		default:
		}
		begun := time.Now()
		_, hello := n.next()
		if waited := time.Since(begun); waited < 100*time.Millisecond || waited > time.Second {
			t.Errorf("[FF-HB-005] it came back after %v", waited)
		}
		if a.code != fanfarev1.CloseCode_CLOSE_CODE_HEARTBEAT_TIMEOUT || hello.GetResume() == nil {
			t.Errorf("[FF-HB-006] closed with %v", a.code)
		}
	})
}

func TestNoWelcomeInTime(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		connected := n.connect()
		a, _ := n.next()
		begun := time.Now()
		b, hello := n.next()
		if waited := time.Since(begun); waited < welcomeWithin || waited > welcomeWithin+backOffBase {
			t.Errorf("[FF-HS-019] tried again after %v", waited)
		}
		select {
		case <-a.ended:
		default:
			t.Error("the first connection stands")
		}
		b.welcome(hello)
		if err := <-connected; err != nil {
			t.Error(err)
		}
	})
}

func TestANeverIsTheEnd(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		one := n.client.StartPublish(lobby, Text("one"), PublishOptions{})
		a.frames()
		a.end(4007)
		var ended *ConnectionError
		if _, err := one.Wait(t.Context()); !errors.As(err, &ended) || ended.Code != 4007 {
			t.Errorf("[FF-CL-001] %v", err)
		}
		n.want("events", heard(n.events()), []string{"Closed"})
		if _, err := n.client.Publish(t.Context(), lobby, Text("two"), PublishOptions{}); !errors.As(err, &ended) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestTokens(t *testing.T) {
	asked := 0
	tokens := []string{"token-1", "token-2", "token-2", "token-3"}
	config := Config{Token: func(context.Context) (string, error) { asked++; return tokens[asked-1], nil }}
	inBubble(t, config, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		a.end(0)
		b, hello := n.next()
		if hello.GetToken() != "token-1" {
			t.Errorf("a good token is used again: %s", hello.GetToken())
		}
		b.welcome(hello)
		begun := time.Now()
		b.end(4300)
		c, hello := n.next()
		if hello.GetToken() != "token-2" || time.Since(begun) != 0 {
			t.Errorf("[FF-BO-006] %s after %v", hello.GetToken(), time.Since(begun))
		}
		c.end(4300)
		d, hello := n.next()
		if hello.GetToken() != "token-3" || time.Since(begun) == 0 {
			t.Errorf("[FF-BO-007] %s after %v", hello.GetToken(), time.Since(begun))
		}
		d.welcome(hello)
	})
}

func TestRefresh(t *testing.T) {
	asked := 0
	tokens := []string{"token-1", "token-2", "token-3"}
	config := Config{Token: func(context.Context) (string, error) { asked++; return tokens[asked-1], nil }}
	inBubble(t, config, func(t *testing.T, n *fakeNetwork) {
		begun := time.Now()
		a := n.start(func(w *fanfarev1.Welcome) {
			w.ServerTimeUs += 3_600_000_000 // its clock is an hour ahead
			w.TokenExpiresAtMs = uint64(begun.Add(time.Hour + 100*time.Second).UnixMilli())
		})
		refused := <-a.sent
		if refused.GetRefresh().GetToken() != "token-2" || time.Since(begun) != 80*time.Second {
			t.Fatalf("[FF-SE-027] %v after %v", refused, time.Since(begun))
		}
		a.reply(refused.GetId(), &fanfarev1.Reply{Result: &fanfarev1.Reply_Error{
			Error: &fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_PERMISSION_DENIED},
		}})
		again := <-a.sent
		if again.GetRefresh().GetToken() != "token-3" || time.Since(begun) != 90*time.Second {
			t.Errorf("[FF-ER-003] %v after %v", again, time.Since(begun))
		}
	})
}

func TestClosing(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		closing := make(chan error, 1)
		go func() { closing <- n.client.Close(t.Context()) }()
		if frames := a.frames(); len(frames) != 1 || frames[0].GetDisconnect() == nil {
			t.Errorf("[FF-SE-018] %v", frames)
		}
		a.end(4000)
		if err := <-closing; err != nil {
			t.Error(err)
		}
		if _, err := n.client.Publish(t.Context(), lobby, Text("late"), PublishOptions{}); !errors.Is(err, ErrClosed) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestCallsAreAnsweredOnce(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		n.client.Handle("slow", func(ctx context.Context, _ *Payload) (*Payload, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		a.tell(
			&fanfarev1.ServerFrame{Id: 3, Kind: &fanfarev1.ServerFrame_Rpc{Rpc: &fanfarev1.Rpc{Method: "slow", DeadlineMs: 700}}},
			&fanfarev1.ServerFrame{Id: 4, Kind: &fanfarev1.ServerFrame_Rpc{Rpc: &fanfarev1.Rpc{Method: "unknown"}}},
		)
		begun := time.Now()
		unknown, slow := <-a.sent, <-a.sent
		if unknown.GetId() != 4 || unknown.GetRpcResult().GetError().GetCode() != fanfarev1.ErrorCode_ERROR_CODE_UNKNOWN_METHOD {
			t.Errorf("[FF-RP-002] %v", unknown)
		}
		if slow.GetId() != 3 || slow.GetRpcResult().GetError().GetCode() != fanfarev1.ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED {
			t.Errorf("[FF-RP-001 FF-RP-003] %v", slow)
		}
		if waited := time.Since(begun); waited != 700*time.Millisecond {
			t.Errorf("answered after %v", waited)
		}
	})
}

func TestACallOfTheClientIsNotRepeated(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, n *fakeNetwork) {
		a := n.start()
		go func() {
			synctest.Wait()
			a.frames()
			a.end(0)
		}()
		var refused *Error
		_, err := n.client.Call(t.Context(), "roll", Text("d6"))
		if !errors.As(err, &refused) || refused.Code != fanfarev1.ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED {
			t.Errorf("[FF-RP-007] %v", err)
		}
	})
}
