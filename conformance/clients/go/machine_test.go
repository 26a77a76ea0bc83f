package fanfare

import "testing"

// The rows of the table in section 5.1 of the protocol.
func TestStatesAreThoseOfTheText(t *testing.T) {
	for _, row := range []struct {
		from state
		on   trigger
		to   state
	}{
		{idle, asked, connecting},
		{connecting, opened, greeting},
		{connecting, lost, waiting},
		{connecting, finished, closed},
		{greeting, welcomed, ready},
		{greeting, lost, waiting},
		{greeting, finished, closed},
		{ready, sentAway, leaving},
		{ready, lost, waiting},
		{ready, finished, closed},
		{leaving, mustMove, moving},
		{leaving, mustLeave, connecting},
		{leaving, lost, waiting},
		{leaving, finished, closed},
		{moving, welcomed, moving},
		{moving, movedOver, ready},
		{moving, movedEarly, greeting},
		{moving, movedAtOnce, connecting},
		{moving, secondLost, leaving},
		{waiting, delayOver, connecting},
		{waiting, finished, closed},
	} {
		if to, ok := row.from.on(row.on); !ok || to != row.to {
			t.Errorf("%v on %d: %v, want %v", row.from, row.on, to, row.to)
		}
	}
}

func TestWhatMeansNothingIsIgnored(t *testing.T) {
	for _, row := range []struct {
		in state
		on trigger
	}{
		{closed, asked}, {closed, delayOver}, {closed, lost}, {ready, delayOver}, {waiting, sentAway}, {moving, sentAway}, {idle, lost},
	} {
		if to, ok := row.in.on(row.on); ok {
			t.Errorf("%v on %d: %v", row.in, row.on, to)
		}
	}
}
