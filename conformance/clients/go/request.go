package fanfare

import (
	"context"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// request is a frame that waits for its turn, and then for its reply. The loop owns it.
type request struct {
	frame *fanfarev1.ClientFrame
	// feature has to be in force for it; empty in the core.
	feature string
	// apply lets the client itself take note of what came of it; it may be nil.
	apply func(*fanfarev1.Reply, error)
	// settle tells whoever asked, once.
	settle func(*fanfarev1.Reply, error)
	// isSettled: nobody waits any more. A publish that was sent is repeated all the same until it is answered (FF-ID-002).
	isSettled bool
	// sent at least once.
	sent bool
	// refused by the server.
	refused bool
	// goesOn: it subscribes a log that is being read, and says no place to begin.
	goesOn bool
	// resyncs is what the client itself asks for to go on; nil of the application's own.
	resyncs *subscription
}

// end is called once, with the reply or with why there is none.
func (r *request) end(reply *fanfarev1.Reply, err error) {
	if refused := reply.GetError(); refused != nil {
		r.refused = true
		reply, err = nil, errorOf(refused)
	} else if err == nil && !r.isAnsweredBy(reply) {
		reply, err = nil, failure(fanfarev1.ErrorCode_ERROR_CODE_INTERNAL, "the reply is none to this request")
	}
	if r.apply != nil {
		r.apply(reply, err)
	}
	r.tell(reply, err)
}

func (r *request) tell(reply *fanfarev1.Reply, err error) {
	if !r.isSettled && r.settle != nil {
		r.settle(reply, err)
	}
	r.isSettled = true
}

// isAnsweredBy says whether a reply holds the result that belongs to the kind of the request.
func (r *request) isAnsweredBy(reply *fanfarev1.Reply) bool {
	switch r.frame.GetKind().(type) {
	case *fanfarev1.ClientFrame_Subscribe:
		return reply.GetSubscribed() != nil
	case *fanfarev1.ClientFrame_Unsubscribe:
		return reply.GetUnsubscribed() != nil
	case *fanfarev1.ClientFrame_Publish:
		return reply.GetPublishResult() != nil
	case *fanfarev1.ClientFrame_Rpc:
		return reply.GetRpcResult() != nil
	case *fanfarev1.ClientFrame_History:
		return reply.GetHistoryPage() != nil
	case *fanfarev1.ClientFrame_CursorCommit:
		return reply.GetCursorCommitted() != nil
	case *fanfarev1.ClientFrame_Refresh:
		return reply.GetRefreshed() != nil
	default:
		return false
	}
}

func (r *request) isPublish() bool { return r.frame.GetPublish() != nil }

// outbox holds what is not sent, or has to be sent again, in the order in which it goes out.
type outbox struct {
	// repeats are publishes of a former connection without an answer, in the order of seq.
	repeats []*request
	queue   []*request
}

// next takes the request that goes out next. With publishes held back it takes others.
func (o *outbox) next(holdsPublishes bool) *request {
	if !holdsPublishes && len(o.repeats) > 0 {
		r := o.repeats[0]
		o.repeats = o.repeats[1:]
		return r
	}
	for i, r := range o.queue {
		if !holdsPublishes || !r.isPublish() {
			o.queue = append(o.queue[:i:i], o.queue[i+1:]...)
			return r
		}
	}
	return nil
}

// remove takes out a request that is not sent.
func (o *outbox) remove(wanted *request) bool {
	for i, r := range o.queue {
		if r == wanted {
			o.queue = append(o.queue[:i:i], o.queue[i+1:]...)
			return true
		}
	}
	return false
}

// Pending is a request on its way.
type Pending[T any] struct {
	loop    *loop
	request *request
	result  T
	err     error
	done    chan struct{}
}

// begin hands a request to the loop. read makes the result of what came of it, on the loop.
func begin[T any](l *loop, r *request, read func(*fanfarev1.Reply, error) (T, error)) *Pending[T] {
	p := &Pending[T]{loop: l, request: r, done: make(chan struct{})}
	r.settle = func(reply *fanfarev1.Reply, err error) {
		p.result, p.err = read(reply, err)
		close(p.done)
	}
	if !l.post(func() { l.ask(r) }) {
		r.end(nil, l.cause)
	}
	return p
}

// Wait waits for the result. When the context ends first, nobody waits for the result any more; what was sent cannot be called back.
func (p *Pending[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-p.done:
		return p.result, p.err
	case <-ctx.Done():
	}
	p.loop.post(func() {
		if p.loop.out.remove(p.request) {
			p.request.end(nil, ctx.Err())
		} else {
			p.request.tell(nil, ctx.Err())
		}
	})
	<-p.done
	return p.result, p.err
}
