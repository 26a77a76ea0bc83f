package node

import (
	"cmp"
	"maps"
	"slices"

	fanfarev1 "fanfare.example/server/gen/fanfare/v1"
	"google.golang.org/protobuf/proto"
)

// section is the only one of a single node. Its number counts its diffs.
const section = 1

// generation of every entry: no session goes on at another node (FF-PR-008).
const generation = 1

// pageBytes bounds a page of members, unless one alone is larger (FF-TR-012).
const pageBytes = 32_768

// roster is who is present in a channel, and what changed since the last diff. Changes are gathered; one that would have to come after a
// leave of the same session waits for the next diff, because a diff is applied in the order joined, updated, left.
type roster struct {
	members map[uint64]*fanfarev1.PresenceMember
	number  uint64
	changes map[uint64]change
	// counted says that the last that was told were numbers alone.
	counted bool
}

type changeKind int

const (
	joined changeKind = iota
	updated
	left
)

type change struct {
	kind  changeKind
	leave *fanfarev1.PresenceLeave
}

func newRoster() *roster {
	return &roster{members: map[uint64]*fanfarev1.PresenceMember{}, changes: map[uint64]change{}}
}

// mustFlush says whether what is gathered has to be told before the session can join again.
func (r *roster) mustFlush(origin uint64) bool {
	pending, changed := r.changes[origin]
	return changed && pending.kind == left
}

// join adds a session. The caller has asked mustFlush.
func (r *roster) join(member *fanfarev1.PresenceMember) {
	r.members[member.GetOrigin()] = member
	r.changes[member.GetOrigin()] = change{kind: joined}
}

// update replaces what a session shows.
func (r *roster) update(origin uint64, data *fanfarev1.Payload) {
	present := r.members[origin]
	if present == nil || proto.Equal(present.GetData(), data) {
		return
	}
	// A new message: the old one may stand in a frame.
	r.members[origin] = &fanfarev1.PresenceMember{Origin: origin, Generation: generation, PlayerId: present.GetPlayerId(), Data: data}
	if _, pending := r.changes[origin]; !pending {
		r.changes[origin] = change{kind: updated}
	}
}

// leave removes a session.
func (r *roster) leave(origin uint64, reason fanfarev1.LeaveReason) {
	present := r.members[origin]
	if present == nil {
		return
	}
	delete(r.members, origin)
	if pending, changed := r.changes[origin]; changed && pending.kind == joined {
		delete(r.changes, origin)
		return
	}
	r.changes[origin] = change{left, &fanfarev1.PresenceLeave{
		Origin: origin, Generation: generation, PlayerId: present.GetPlayerId(), Reason: reason,
	}}
}

// flush makes the next diffs of what was gathered: one, or several where one would be longer than pageBytes; none if there is nothing
// (FF-PR-003).
func (r *roster) flush() []*fanfarev1.PresenceDiff {
	var diffs []*fanfarev1.PresenceDiff
	size := 0
	for _, origin := range slices.Sorted(maps.Keys(r.changes)) {
		changed := r.changes[origin]
		length := proto.Size(r.members[origin]) + proto.Size(changed.leave)
		if len(diffs) == 0 || size+length > pageBytes {
			r.number++
			size = 0
			diffs = append(diffs, &fanfarev1.PresenceDiff{Section: section, Number: r.number})
		}
		size += length
		switch diff := diffs[len(diffs)-1]; changed.kind {
		case joined:
			diff.Joined = append(diff.Joined, r.members[origin])
		case updated:
			diff.Updated = append(diff.Updated, r.members[origin])
		case left:
			diff.Left = append(diff.Left, changed.leave)
		}
	}
	clear(r.changes)
	return diffs
}

// snapshot makes the pages of the whole section. Nothing may be gathered at the time.
func (r *roster) snapshot() []*fanfarev1.PresenceSnapshot {
	var pages []*fanfarev1.PresenceSnapshot
	after := uint64(0)
	for {
		members, more := r.page(after, len(r.members))
		page := &fanfarev1.PresenceSnapshot{
			Section: section, Number: r.number, Members: members, First: len(pages) == 0, Last: !more,
		}
		pages = append(pages, page)
		if !more {
			return pages
		}
		after = members[len(members)-1].GetOrigin()
	}
}

// page lists members in the order of their origins, from the one after the origin given, at most n and within pageBytes; more says whether any
// follow. Who stays present through a reading is on exactly one page of it (FF-PR-020).
func (r *roster) page(after uint64, n int) (members []*fanfarev1.PresenceMember, more bool) {
	following := slices.DeleteFunc(slices.Collect(maps.Values(r.members)), func(member *fanfarev1.PresenceMember) bool {
		return member.GetOrigin() <= after
	})
	slices.SortFunc(following, func(a, b *fanfarev1.PresenceMember) int { return cmp.Compare(a.GetOrigin(), b.GetOrigin()) })
	size := 0
	for i, member := range following {
		size += proto.Size(member)
		if i > 0 && (i >= n || size > pageBytes) {
			return following[:i], true
		}
	}
	return following, false
}

// counts are the numbers of sessions and of different players.
func (r *roster) counts() *fanfarev1.PresenceCounts {
	players := map[string]struct{}{}
	for _, member := range r.members {
		players[member.GetPlayerId()] = struct{}{}
	}
	return &fanfarev1.PresenceCounts{Sessions: uint32(len(r.members)), Players: uint32(len(players))}
}
