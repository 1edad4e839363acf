package server

// Stats are counts since New.
type Stats struct {
	Open     int               // upgraded connections that have not left
	Upgraded uint64            // clients that were handed over
	Refused  map[string]uint64 // upgrades that were refused, by reason; holds every reason
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	st := Stats{
		Open:     int(s.counts.total.Load()),
		Upgraded: s.upgraded.Load(),
		Refused:  make(map[string]uint64, refusals),
	}
	for why := range refusals {
		st.Refused[why.String()] = s.refused[why].Load()
	}
	return st
}
