package fanfare

import (
	"testing"
	"time"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func TestCloseCodesSayWhatToDo(t *testing.T) {
	for code, want := range map[int]policy{
		4000: {reconnect: never, sessionEnds: true},
		4009: {reconnect: never},
		4077: {reconnect: never},
		4100: {reconnect: backOff, least: 500 * time.Millisecond},
		4101: {reconnect: backOff},
		4177: {reconnect: backOff},
		4200: {reconnect: soon},
		4203: {reconnect: soon, sessionEnds: true},
		4277: {reconnect: soon},
		4300: {reconnect: newToken},
		4377: {reconnect: newToken},
		4400: {reconnect: backOff},
		3456: {reconnect: backOff},
		1000: {reconnect: backOff},
		1005: {reconnect: backOff},
		1009: {reconnect: never},
		0:    {reconnect: backOff},
	} {
		if got := closePolicy(code); got != want {
			t.Errorf("[FF-CL-001 FF-CL-002] %d: %+v, want %+v", code, got, want)
		}
	}
}

func TestStatusesSayWhatToDo(t *testing.T) {
	for status, want := range map[int]policy{
		301: {reconnect: backOff},
		404: {reconnect: never},
		429: {reconnect: backOff, least: time.Second},
		418: {reconnect: backOff},
		503: {reconnect: backOff, least: time.Second},
	} {
		if got := statusPolicy(status); got != want {
			t.Errorf("[FF-CL-005] %d: %+v, want %+v", status, got, want)
		}
	}
	e := ending{status: 503, retryAfter: 3 * time.Second}
	if got := e.policy().least; got != 3*time.Second {
		t.Errorf("the least wait is %v with a Retry-After of 3 s", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"3600":                          30 * time.Second,
		"99999999999999":                30 * time.Second,
		"soon":                          0,
		"Sun, 01 Nov 2026 12:00:09 GMT": 9 * time.Second,
		"Sun, 01 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestUnknownErrorCodesAreInternalAndFinal(t *testing.T) {
	e := errorOf(&fanfarev1.Error{Code: 4711, Message: "new", RetryAfterMs: 5})
	if e.Code != fanfarev1.ErrorCode_ERROR_CODE_INTERNAL || e.Retryable {
		t.Errorf("[FF-ER-001] %+v", e)
	}
	e = errorOf(&fanfarev1.Error{Code: fanfarev1.ErrorCode_ERROR_CODE_RATE_LIMITED})
	if !e.Retryable || e.RetryAfter != 100*time.Millisecond {
		t.Errorf("[FF-ER-002] %+v", e)
	}
}
