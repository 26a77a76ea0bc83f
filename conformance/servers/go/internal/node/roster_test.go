package node

import (
	"fmt"
	"testing"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
)

func member(origin uint64) *fanfarev1.PresenceMember {
	return &fanfarev1.PresenceMember{Origin: origin, Generation: generation, PlayerId: fmt.Sprintf("p%d", origin%2)}
}

func text(data string) *fanfarev1.Payload {
	return &fanfarev1.Payload{Data: &fanfarev1.Payload_Text{Text: data}}
}

// flushOne makes the only diff, or nil.
func flushOne(t *testing.T, r *roster) *fanfarev1.PresenceDiff {
	t.Helper()
	diffs := r.flush()
	if len(diffs) == 0 {
		return nil
	}
	if len(diffs) > 1 {
		t.Fatalf("%d diffs", len(diffs))
	}
	return diffs[0]
}

func TestRosterGathersChanges(t *testing.T) {
	const reason = fanfarev1.LeaveReason_LEAVE_REASON_LEFT
	cases := []struct {
		name                  string
		change                func(*roster)
		joined, updated, left int
	}{
		{"nothing", func(*roster) {}, 0, 0, 0},
		{"a join", func(r *roster) { r.join(member(2)) }, 1, 0, 0},
		{"a join and its update", func(r *roster) { r.join(member(2)); r.update(2, text("x")) }, 1, 0, 0},
		{"a join and its leave", func(r *roster) { r.join(member(2)); r.leave(2, reason) }, 0, 0, 0},
		{"two updates", func(r *roster) { r.update(1, text("x")); r.update(1, text("y")) }, 0, 1, 0},
		{"an update to the same", func(r *roster) { r.update(1, nil) }, 0, 0, 0},
		{"an update and a leave", func(r *roster) { r.update(1, text("x")); r.leave(1, reason) }, 0, 0, 1},
		{"a leave of nobody", func(r *roster) { r.leave(9, reason) }, 0, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRoster()
			r.join(member(1))
			first := flushOne(t, r)
			c.change(r)
			diff := flushOne(t, r)
			if len(diff.GetJoined()) != c.joined || len(diff.GetUpdated()) != c.updated || len(diff.GetLeft()) != c.left {
				t.Errorf("got %v", diff)
			}
			if diff != nil && diff.GetNumber() != first.GetNumber()+1 {
				t.Errorf("number %d follows %d", diff.GetNumber(), first.GetNumber())
			}
		})
	}
}

func TestRosterTellsALeaveBeforeTheNextJoin(t *testing.T) {
	r := newRoster()
	r.join(member(1))
	r.flush()
	r.leave(1, fanfarev1.LeaveReason_LEAVE_REASON_LEFT)
	if !r.mustFlush(1) || r.mustFlush(2) {
		t.Error("the leave of 1, and it alone, has to be told before 1 joins again")
	}
}

func TestRosterPages(t *testing.T) {
	for _, bytes := range []int{1, 3000, 2 * pageBytes} {
		r := newRoster()
		for origin := range uint64(50) {
			r.join(&fanfarev1.PresenceMember{Origin: origin + 1, Data: text(string(make([]byte, bytes)))})
		}
		joined := 0
		for i, diff := range r.flush() {
			joined += len(diff.GetJoined())
			if diff.GetNumber() != uint64(i+1) {
				t.Errorf("diff %d has the number %d", i, diff.GetNumber())
			}
		}
		if joined != 50 {
			t.Errorf("%d of 50 have joined", joined)
		}
		seen := map[uint64]bool{}
		pages := r.snapshot()
		for i, page := range pages {
			if page.GetFirst() != (i == 0) || page.GetLast() != (i == len(pages)-1) || page.GetNumber() != r.number {
				t.Errorf("page %d of %d: %v %v %d", i, len(pages), page.GetFirst(), page.GetLast(), page.GetNumber())
			}
			for _, member := range page.GetMembers() {
				if seen[member.GetOrigin()] {
					t.Errorf("%d is there twice", member.GetOrigin())
				}
				seen[member.GetOrigin()] = true
			}
		}
		if len(seen) != 50 {
			t.Errorf("%d of 50 are there", len(seen))
		}
	}
	if pages := newRoster().snapshot(); len(pages) != 1 || !pages[0].GetFirst() || !pages[0].GetLast() {
		t.Errorf("an empty section is one empty page, not %v", pages)
	}
}

func TestRosterCounts(t *testing.T) {
	r := newRoster()
	for origin := range uint64(3) {
		r.join(member(origin + 1))
	}
	if counts := r.counts(); counts.GetSessions() != 3 || counts.GetPlayers() != 2 {
		t.Errorf("got %v", counts)
	}
}
