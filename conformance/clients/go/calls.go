package fanfare

import (
	"context"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// mostCalls bounds the calls that handlers are busy with at once.
const mostCalls = 64

// onCall answers a call of the backend on the connection by which it came (section 15).
func (l *loop) onCall(c *connection, id uint32, call *fanfarev1.Rpc) {
	handler := l.handler(call.GetMethod())
	var refusal error
	switch {
	case !c.has("server_rpc"):
		refusal = failure(fanfarev1.ErrorCode_ERROR_CODE_UNIMPLEMENTED, "calls are not served")
	case handler == nil:
		refusal = failure(fanfarev1.ErrorCode_ERROR_CODE_UNKNOWN_METHOD, "%s is not known", call.GetMethod())
	case l.calls >= mostCalls:
		refusal = failure(fanfarev1.ErrorCode_ERROR_CODE_LIMIT_EXCEEDED, "%d calls are being answered", mostCalls)
	}
	if refusal != nil {
		c.tell(result(id, nil, refusal))
		return
	}
	l.calls++
	patience := defaultCall
	if call.GetDeadlineMs() > 0 {
		patience = time.Duration(call.GetDeadlineMs()) * time.Millisecond
	}
	go func() {
		ctx, cancel := context.WithTimeout(l.ctx, patience)
		defer cancel()
		payload, err := handler(ctx, call.GetPayload())
		l.post(func() {
			l.calls--
			if !c.isOver {
				l.answerCall(c, id, payload, err)
			}
		})
	}()
}

func (l *loop) answerCall(c *connection, id uint32, payload *Payload, err error) {
	frame := result(id, payload, err)
	if broken := checkFrame(frame); broken != nil {
		frame = result(id, nil, broken)
	}
	if err := c.send(frame); err != nil {
		c.tell(result(id, nil, err))
	}
}

func result(id uint32, payload *Payload, err error) *fanfarev1.ClientFrame {
	answer := &fanfarev1.RpcResult{Result: &fanfarev1.RpcResult_Payload{Payload: payload}}
	if err != nil {
		answer.Result = &fanfarev1.RpcResult_Error{Error: wireError(err)}
	} else if payload == nil {
		answer.Result = &fanfarev1.RpcResult_Payload{Payload: &Payload{}}
	}
	return &fanfarev1.ClientFrame{Id: id, Kind: &fanfarev1.ClientFrame_RpcResult{RpcResult: answer}}
}
