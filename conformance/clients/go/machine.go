package fanfare

import "fmt"

// state is that of the connection at the client, of section 5.1.
type state int

const (
	idle       state = iota
	connecting       // a WebSocket is being opened, or a token fetched for it
	greeting         // hello is sent
	ready            // welcomed
	leaving          // told goaway, and not away yet
	moving           // a second connection is being made beside the first
	waiting          // for the next try
	closed           // for good
)

func (s state) String() string {
	return [...]string{"idle", "connecting", "greeting", "ready", "leaving", "moving", "waiting", "closed"}[s]
}

// trigger is what moves the connection from one state to another.
type trigger int

const (
	asked       trigger = iota // by the application, to connect
	opened                     // the WebSocket
	welcomed                   // by the server; of the second connection while moving
	sentAway                   // told goaway
	mustMove                   // the time of goaway has come, and hand_over is in force
	mustLeave                  // the time of goaway has come, and it is not
	lost                       // the connection has ended, and another is to be tried
	finished                   // the connection has ended for good, or the application closes
	delayOver                  // of waiting
	secondLost                 // the second connection ended before its welcome
	movedOver                  // the first connection is over, the second is welcomed
	movedEarly                 // the first connection is over, the second greets
	movedAtOnce                // the first connection is over, the second is being opened
)

// transitions is the table of section 5.1. What is not in it is ignored.
var transitions = map[state]map[trigger]state{
	idle:       {asked: connecting, finished: closed},
	connecting: {opened: greeting, lost: waiting, finished: closed},
	greeting:   {welcomed: ready, lost: waiting, finished: closed},
	ready:      {sentAway: leaving, lost: waiting, finished: closed},
	leaving:    {sentAway: leaving, mustMove: moving, mustLeave: connecting, lost: waiting, finished: closed},
	moving: {
		welcomed: moving, secondLost: leaving, movedOver: ready, movedEarly: greeting, movedAtOnce: connecting,
		lost: waiting, finished: closed,
	},
	waiting: {delayOver: connecting, finished: closed},
	closed:  {},
}

// on is the state after a trigger, and whether the trigger means anything in this one.
func (s state) on(t trigger) (state, bool) {
	next, ok := transitions[s][t]
	return next, ok
}

// must is on where the caller knows that the trigger belongs to the state.
func (s state) must(t trigger) state {
	next, ok := s.on(t)
	if !ok {
		panic(fmt.Sprintf("trigger %d in state %v", t, s))
	}
	return next
}
