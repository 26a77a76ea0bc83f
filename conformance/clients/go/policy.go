package fanfare

import (
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// policy says how a client goes on after a connection has ended.
type policy struct {
	reconnect fanfarev1.ReconnectPolicy
	// least is the least wait.
	least time.Duration
	// sessionEnds: a client that comes back begins a new session.
	sessionEnds bool
}

const (
	never    = fanfarev1.ReconnectPolicy_RECONNECT_POLICY_NEVER
	backOff  = fanfarev1.ReconnectPolicy_RECONNECT_POLICY_BACKOFF
	soon     = fanfarev1.ReconnectPolicy_RECONNECT_POLICY_SOON
	newToken = fanfarev1.ReconnectPolicy_RECONNECT_POLICY_NEW_TOKEN
)

// closePolicy is the column "come back" of the tables of close codes (FF-CL-001, FF-CL-002). 0 stands for no code.
func closePolicy(code int) policy {
	value := fanfarev1.CloseCode(0).Descriptor().Values().ByNumber(fanfarev1.CloseCode(code).Number())
	if code != 0 && value != nil {
		options := proto.GetExtension(value.Options(), fanfarev1.E_Close).(*fanfarev1.ClosePolicy)
		return policy{
			reconnect:   options.GetReconnect(),
			least:       time.Duration(options.GetMinBackoffMs()) * time.Millisecond,
			sessionEnds: options.GetSessionEnds(),
		}
	}
	switch {
	case code >= 4000 && code < 4100:
		return policy{reconnect: never}
	case code >= 4200 && code < 4300:
		return policy{reconnect: soon}
	case code >= 4300 && code < 4400:
		return policy{reconnect: newToken}
	}
	switch code {
	case 1002, 1003, 1007, 1009, 1010:
		return policy{reconnect: never}
	default:
		return policy{reconnect: backOff}
	}
}

// statusPolicy is the table of HTTP statuses of a refused upgrade (FF-CL-005).
func statusPolicy(status int) policy {
	switch status {
	case 400, 401, 403, 404, 405, 410, 426, 501, 505:
		return policy{reconnect: never}
	case 429, 503:
		return policy{reconnect: backOff, least: time.Second}
	default:
		return policy{reconnect: backOff}
	}
}

// retryable says whether a request may succeed later, unchanged, and how long to wait at the least. A code that is not known is not retryable
// (FF-ER-001).
func retryable(code fanfarev1.ErrorCode) (bool, time.Duration) {
	value := code.Descriptor().Values().ByNumber(code.Number())
	if value == nil {
		return false, 0
	}
	options := proto.GetExtension(value.Options(), fanfarev1.E_Error).(*fanfarev1.ErrorPolicy)
	return options.GetRetryable(), time.Duration(options.GetMinBackoffMs()) * time.Millisecond
}
