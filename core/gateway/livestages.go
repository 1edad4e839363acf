package gateway

import (
	"strings"

	"github.com/stratix-gateway/stratix/core"
)

// stages are what the stages of the live generation did between two moments. Those
// of a generation that went live in between began with it.
func (s span) stages(before, now *moment) []LiveStage {
	a, b := &before.pulse, &now.pulse
	all := make([]LiveStage, len(b.Stages))
	for i := range all {
		st, was := b.Stages[i], core.Tally{}
		if a.Generation == b.Generation && i < len(a.Stages) {
			old := &a.Stages[i]
			was = old.Tally
			st.Samples -= old.Samples
			st.Instructions -= old.Instructions
			st.Taken -= old.Taken
		}
		l := LiveStage{Samples: st.Samples, LiveVerdicts: LiveVerdicts{Error: s.rate(st.Errors, was.Errors)}}
		for v, to := range map[core.Verdict]*float64{core.Next: &l.Next, core.Done: &l.Done, core.Drop: &l.Drop, core.Hold: &l.Hold} {
			*to = s.rate(st.Verdicts[v], was.Verdicts[v])
		}
		if st.Samples > 0 {
			mean := rounded(float64(st.Taken) / 1e3 / float64(st.Samples))
			l.Time = &mean
		}
		if st.Instructions > 0 {
			mean := rounded(float64(st.Instructions) / float64(st.Samples))
			l.Instructions = &mean
		}
		all[i] = l
	}
	labels := make([]string, len(all))
	for i := range labels {
		labels[i] = b.Stages[i].Name
	}
	for i, p := range placesOf(labels, now.scripts.open) {
		all[i].Name, all[i].Place = p.name, p.place
	}
	return all
}

// placed is a stage as operators are shown it.
type placed struct{ name, place string }

// placesOf finds where the stages with these labels stand in the scripts: opened
// are those that are not Lua, in the same order. The label of a Lua function is its place.
func placesOf(labels []string, opened []core.OpenStage) []placed {
	all := make([]placed, len(labels))
	for i, label := range labels {
		base, _, _ := strings.Cut(label, "#") // of several with one name
		if len(opened) > 0 && opened[0].Name == base {
			all[i] = placed{label, opened[0].Pos}
			opened = opened[1:]
		} else {
			all[i] = placed{"lua " + label, base}
		}
	}
	return all
}
