package fanfare

import (
	"cmp"
	"slices"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// mostQueued bounds the requests that wait to be sent.
	mostQueued = 1024
	// mostUnwritten is how much may wait to be written for a volatile message to be sent all the same.
	mostUnwritten = 64 << 10
)

// ask takes a request of the application.
func (l *loop) ask(r *request) {
	if l.closing {
		r.end(nil, ErrClosed)
	} else if err := checkFrame(r.frame); err != nil {
		r.end(nil, err)
	} else if len(l.out.queue) >= mostQueued {
		r.end(nil, failure(fanfarev1.ErrorCode_ERROR_CODE_LIMIT_EXCEEDED, "%d requests wait to be sent", mostQueued))
	} else {
		l.out.queue = append(l.out.queue, r)
		l.pump()
	}
}

// checkFrame finds what the server would refuse.
func checkFrame(frame *fanfarev1.ClientFrame) error {
	message := frame.ProtoReflect()
	kind := message.WhichOneof(message.Descriptor().Oneofs().ByName("kind"))
	if err := checkBounds(message.Get(kind).Message(), string(kind.Name())); err != nil {
		return err
	}
	return nil
}

// sendsOn is the connection that takes requests; nil: none does. From the second hello of a move to its welcome none does, because what the first
// one still takes might not be handled any more.
func (l *loop) sendsOn() *connection {
	switch {
	case l.state == ready, l.state == leaving:
		return l.current
	case l.state == moving && l.next.welcome != nil:
		return l.next
	default:
		return nil
	}
}

// pump sends what can be sent.
func (l *loop) pump() {
	c := l.sendsOn()
	// A publish waits until those on the connection before are answered, or it is over (FF-GO-009).
	holds := c != nil && c == l.next && l.current.hasUnansweredPublish()
	for c != nil && !c.isFull() {
		r := l.out.next(holds)
		if r == nil {
			return
		}
		l.sendRequest(c, r)
	}
}

func (l *loop) sendRequest(c *connection, r *request) {
	if r.resyncs != nil && !r.resyncs.stopped {
		return // it goes on by a welcome since
	}
	if !c.has(r.feature) {
		r.end(nil, failure(fanfarev1.ErrorCode_ERROR_CODE_UNIMPLEMENTED, "the feature %s is not in force", r.feature))
		return
	}
	if ask := r.frame.GetSubscribe(); ask != nil && ask.GetStart() == nil {
		channel, _ := ChannelOf(ask.GetChannel())
		if s := l.subscriptions.all[channel]; s != nil && s.position != nil {
			r.goesOn, ask.Start = true, &fanfarev1.Subscribe_After{After: s.position.Wire()}
		}
	}
	publish := r.frame.GetPublish()
	isRepeat := publish != nil && r.sent
	if !isRepeat { // which is left as it is (FF-ID-004)
		strip(r.frame.ProtoReflect(), c.has)
	}
	if publish != nil && !isRepeat {
		publish.Seq = l.session.seq + 1
	}
	if err := c.ask(r); err != nil {
		r.end(nil, err)
		return
	}
	l.session.seq = max(l.session.seq, publish.GetSeq())
}

// sendVolatile sends a message at once, or not at all (FF-PB-017).
func (l *loop) sendVolatile(frame *fanfarev1.ClientFrame) error {
	if err := checkFrame(frame); err != nil {
		return err
	}
	c := l.sendsOn()
	if l.state == moving && c == nil {
		c = l.current
	}
	if c == nil || l.closing || c.transport.queued() > mostUnwritten {
		return ErrDropped
	}
	strip(frame.ProtoReflect(), c.has)
	frame.GetPublish().Seq = l.session.seq + 1
	if err := c.send(frame); err != nil {
		return err
	}
	l.session.seq++
	return nil
}

// strip takes away fields whose feature is not in force (FF-FE-002).
func strip(message protoreflect.Message, has func(feature string) bool) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case !has(proto.GetExtension(field.Options(), fanfarev1.E_Feature).(string)):
			message.Clear(field)
		case field.Kind() != protoreflect.MessageKind:
		case field.IsList():
			for i := range value.List().Len() {
				strip(value.List().Get(i).Message(), has)
			}
		default:
			strip(value.Message(), has)
		}
		return true
	})
}

// takeBack decides what becomes of the requests that a connection leaves without a reply. Publishes are repeated, in the order of seq;
// subscribe goes into the next hello, unsubscribe is sent again where it is still needed, and whoever asked for something else can ask again.
func (l *loop) takeBack(c *connection) {
	pending := c.inOrder()
	c.pending = nil
	for _, r := range pending {
		switch r.frame.GetKind().(type) {
		case *fanfarev1.ClientFrame_Publish:
			l.out.repeats = append(l.out.repeats, r)
		case *fanfarev1.ClientFrame_Subscribe, *fanfarev1.ClientFrame_Unsubscribe:
			l.unsettled = append(l.unsettled, r)
		case *fanfarev1.ClientFrame_Rpc:
			r.end(nil, failure(fanfarev1.ErrorCode_ERROR_CODE_DEADLINE_EXCEEDED, "the connection ended before an answer came"))
		default:
			r.end(nil, failure(fanfarev1.ErrorCode_ERROR_CODE_UNAVAILABLE, "the connection ended before an answer came"))
		}
	}
	slices.SortFunc(l.out.repeats, func(a, b *request) int {
		return cmp.Compare(a.frame.GetPublish().GetSeq(), b.frame.GetPublish().GetSeq())
	})
}
