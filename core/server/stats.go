package server

// Stats are counts since New.
type Stats struct {
	Open     int               // upgraded connections that have not left
	Upgraded uint64            // clients that were handed over
	Came     uint64            // connections that were let in on the public side, whatever became of them
	Refused  map[string]uint64 // upgrades that were refused, by reason; holds every reason
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	st := Stats{
		Open:     int(s.counts.total.Load()),
		Upgraded: s.upgraded.Load(),
		Came:     s.strangers.came.Load(),
		Refused:  make(map[string]uint64, refusals),
	}
	for why := range refusals {
		st.Refused[why.String()] = s.refused[why].Load()
	}
	return st
}
