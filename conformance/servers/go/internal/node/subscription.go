package node

import (
	"fmt"
	"maps"
	"slices"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

// subscription is a channel that a session receives.
type subscription struct {
	session *session
	channel *channel
	// byClient says that the client has asked for it; byServer that the server opened it, or would have.
	byClient, byServer bool
	watching           bool
	data               *fanfarev1.Payload
}

// subscribe serves one request. watch says whether snapshots of presence have to follow its answer.
func (s *session) subscribe(request *fanfarev1.Subscribe, path string) (sub *subscription, watch bool, refused *fanfarev1.Error) {
	key := keyOf(request.GetChannel())
	if refused := s.maySubscribe(key, path); refused != nil {
		return nil, false, refused
	}
	limits := s.app.node.settings.Limits
	if refused := tooLarge(request.GetPresenceData(), limits.GetMaxPresenceDataBytes(), path+".presence_data"); refused != nil {
		return nil, false, refused
	}
	sub = s.subscriptions[key]
	if (sub == nil || !sub.byClient) && !s.opensByItself(key) && s.asked() >= int(limits.GetMaxSubscriptions()) {
		return nil, false, failure(fanfarev1.ErrorCode_ERROR_CODE_LIMIT_EXCEEDED, path+".channel",
			fmt.Sprintf("at most %d subscriptions", limits.GetMaxSubscriptions()))
	}
	delete(s.declined, key)
	if sub == nil {
		sub = s.add(key, request.GetPresenceData())
	} else {
		sub.data = request.GetPresenceData()
		sub.channel.update(sub)
	}
	sub.byClient, sub.byServer, sub.watching = true, s.opensByItself(key), false
	return sub, request.GetPresence() && sub.channel.roster != nil, nil
}

// unsubscribe serves one request. What the server opens by itself stays closed until it is asked for (FF-SB-013).
func (s *session) unsubscribe(request *fanfarev1.Unsubscribe) *fanfarev1.Error {
	key := keyOf(request.GetChannel())
	sub := s.subscriptions[key]
	if sub == nil {
		return failure(fanfarev1.ErrorCode_ERROR_CODE_NOT_SUBSCRIBED, "unsubscribe.channel", "the session does not subscribe it")
	}
	if s.opensByItself(key) {
		s.declined[key] = struct{}{}
	}
	s.remove(sub, fanfarev1.LeaveReason_LEAVE_REASON_LEFT)
	return nil
}

// opensByItself says whether the server subscribes the session without being asked (FF-SB-001).
func (s *session) opensByItself(key channelKey) bool {
	switch key.kind {
	case playerChannel:
		return key.name == s.player.id
	case groupChannel:
		return s.isMember(key.name)
	default:
		return true
	}
}

// asked counts the subscriptions that only the client's wish holds open (FF-SB-010).
func (s *session) asked() int {
	count := 0
	for _, sub := range s.subscriptions {
		if !sub.byServer {
			count++
		}
	}
	return count
}

func (s *session) add(key channelKey, data *fanfarev1.Payload) *subscription {
	sub := &subscription{session: s, channel: s.app.open(key), data: data}
	s.subscriptions[key] = sub
	sub.channel.subscribers[s] = sub
	sub.channel.join(sub)
	return sub
}

func (s *session) remove(sub *subscription, reason fanfarev1.LeaveReason) {
	delete(s.subscriptions, sub.channel.key)
	delete(sub.channel.subscribers, s)
	sub.channel.leave(sub, reason)
	if len(sub.channel.subscribers) == 0 {
		delete(s.app.channels, sub.channel.key)
	}
}

// ownKeys lists what the server subscribes by itself, in an order that stays. A membership in a namespace that is not configured opens nothing.
func (s *session) ownKeys() []channelKey {
	keys := []channelKey{{playerChannel, s.player.id}, {broadcastChannel, ""}}
	for _, group := range s.claims.Groups {
		if key := (channelKey{groupChannel, group}); s.isConfigured(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// own lists the subscriptions that the server holds open by itself.
func (s *session) own() []*subscription {
	var own []*subscription
	for _, key := range s.ownKeys() {
		if sub := s.subscriptions[key]; sub != nil {
			own = append(own, sub)
		}
	}
	return own
}

// openOwn opens what the server subscribes by itself, where the session does not have it and has not closed it, and lists what it opened.
func (s *session) openOwn() []*subscription {
	maps.DeleteFunc(s.declined, func(key channelKey, _ struct{}) bool { return !s.opensByItself(key) })
	var opened []*subscription
	for _, key := range s.ownKeys() {
		_, isDeclined := s.declined[key]
		if sub := s.subscriptions[key]; sub != nil {
			sub.byServer = true
		} else if !isDeclined {
			sub = s.add(key, nil)
			sub.byServer = true
			opened = append(opened, sub)
		}
	}
	return opened
}

func (s *session) isConfigured(key channelKey) bool {
	_, configured := s.app.rulesOf(key)
	return configured
}

// isMember says whether the session lives by a token that names the group. Other sessions of the player gain nothing by it.
func (s *session) isMember(group string) bool { return slices.Contains(s.claims.Groups, group) }

// reconcile brings the subscriptions to what a new token says, and tells of each change (FF-SE-024).
func (s *session) reconcile() {
	for _, sub := range s.openOwn() {
		s.tellOpened(sub)
	}
	for key, sub := range s.subscriptions {
		s.review(key, sub)
	}
}

// tellOpened tells of a subscription that the server has opened by itself.
func (s *session) tellOpened(sub *subscription) {
	s.send(subscriptionFrame(sub.channel.key, &fanfarev1.SubscriptionEvent{
		Event: &fanfarev1.SubscriptionEvent_Opened{Opened: sub.subscribed()},
	}))
}

// review closes a subscription that has lost what it stood on.
func (s *session) review(key channelKey, sub *subscription) {
	sub.byServer = s.opensByItself(key)
	if sub.byServer {
		return
	}
	refused := s.maySubscribe(key, "subscription")
	if sub.byClient && refused == nil {
		return
	}
	closed := &fanfarev1.SubscriptionClosed{Reason: fanfarev1.SubscriptionCloseReason_SUBSCRIPTION_CLOSE_REASON_LEFT}
	if sub.byClient {
		closed.Reason, closed.Error = fanfarev1.SubscriptionCloseReason_SUBSCRIPTION_CLOSE_REASON_PERMISSION, refused
	}
	s.remove(sub, fanfarev1.LeaveReason_LEAVE_REASON_KICKED)
	s.send(subscriptionFrame(key, &fanfarev1.SubscriptionEvent{Event: &fanfarev1.SubscriptionEvent_Closed{Closed: closed}}))
}

// subscribed is the answer that says what stands.
func (sub *subscription) subscribed() *fanfarev1.Subscribed {
	return &fanfarev1.Subscribed{
		DeliveryClass: fanfarev1.DeliveryClass_DELIVERY_CLASS_LIVE,
		ByServer:      sub.byServer,
		Presence:      sub.watching,
	}
}

func subscriptionFrame(key channelKey, event *fanfarev1.SubscriptionEvent) *outbound {
	event.Channel = key.message()
	return &outbound{frame: &fanfarev1.ServerFrame{Kind: &fanfarev1.ServerFrame_Subscription{Subscription: event}}}
}
