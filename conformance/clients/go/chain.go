package fanfare

import fanfarev1 "fanfare.example/server/gen/fanfare/v1"

// step is what a client does with an entry of a log.
type step int

const (
	// take it, and move to the new position.
	take step = iota
	// drop it: the position is past it already.
	drop
	// resync: there is a hole, or the log was forked. Nothing is taken until the server has said where to go on.
	resync
)

// message follows a position with a message, by the table of section 12.1.
func (p Position) message(entry *fanfarev1.LogEntry) (Position, step) {
	offset := entry.GetOffset()
	switch {
	case entry == nil:
		return p, resync
	case offset <= p.Offset:
		return p, drop
	case offset == p.Offset+1 && entry.GetPreviousTag() == p.Tag:
		return Position{p.Epoch, offset, entry.GetTag()}, take
	default:
		return p, resync
	}
}

// skip follows a position with offsets that hold nothing, by the same table. A skip that begins at or before the position names the tag of an
// entry further back, which cannot be compared.
func (p Position) skip(skip *fanfarev1.Skip) (Position, step) {
	from, to := skip.GetFromOffset(), skip.GetToOffset()
	switch {
	case to <= p.Offset:
		return p, drop
	case from <= p.Offset, from == p.Offset+1 && skip.GetPreviousTag() == p.Tag:
		return Position{p.Epoch, to, skip.GetTag()}, take
	default:
		return p, resync
	}
}
