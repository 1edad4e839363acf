package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// ReloadEverything reads again what can change while the gateway runs: the settings,
// the certificate, the keys, what stages have read from elsewhere, and the scripts, which
// go through the gateway's own gate. One line in the log says what has come of it.
// Each is by itself: what is rejected keeps nothing else from changing.
func (g *Gateway) ReloadEverything(trigger string) error { return g.reloadThrough(trigger, "") }

// reloadFor is a reload on behalf of an operator, through the gate of that name, or
// the gateway's own for "".
func (g *Gateway) reloadFor(gate string) error {
	if _, ok := ParseGate(gate); !ok && gate != "" {
		return fmt.Errorf("there is no gate %q: it is one of %s", gate, strings.Join(Gates, ", "))
	}
	return g.reloadThrough("api", gate)
}

func (g *Gateway) reloadThrough(trigger, gate string) error {
	changes, settingsErr := g.ReloadSettings(trigger)
	renewed, certificateErr := g.RenewCertificate()
	_, keysErr := g.ReloadKeys()
	tokens, refreshed := "none", g.refreshStages()
	if g.refreshTokens() {
		tokens = "looked at"
	}
	through, given := ParseGate(gate) // after the settings: they may have another one
	if !given {
		through = g.opt().Gate
	}
	scriptsErr := g.ReloadThrough(trigger, through)
	g.log.Info("reloaded", "trigger", trigger, "scripts", g.scriptsText(scriptsErr), "certificate", g.certificateText(renewed, certificateErr),
		"stages_with_files", refreshed, "keys", g.keysText(keysErr), "settings", g.settingsText(changes, settingsErr),
		"keys_of_tokens", tokens)
	return errors.Join(settingsErr, certificateErr, keysErr, scriptsErr)
}

// refreshStages has the live stages look at what they have read from elsewhere, and
// counts those that do; what has changed they log.
func (g *Gateway) refreshStages() (n int) {
	_, stages := g.scripts.openStages()
	for _, s := range stages {
		if r, ok := s.Stage.(core.Refresher); ok {
			r.Refresh()
			n++
		}
	}
	return n
}

// rejectedText stands for what the log has said more of.
const rejectedText = "rejected"

func (g *Gateway) scriptsText(err error) string {
	sc := g.scripts.report()
	switch {
	case err != nil:
		return rejectedText
	case sc.last.Result == resultUnchanged:
		return "unchanged"
	}
	return fmt.Sprintf("generation %d %s", sc.last.Generation, sc.last.Result)
}

func (g *Gateway) certificateText(renewed bool, err error) string {
	c := g.opt().Certificate
	switch {
	case c == nil:
		return "none"
	case err != nil:
		return rejectedText
	case !renewed:
		return "unchanged"
	}
	return "renewed, until " + c.Until().UTC().Format(time.RFC3339)
}

func (g *Gateway) keysText(err error) string {
	k := g.opt().Keys
	switch {
	case k == nil:
		return "none"
	case err != nil:
		return rejectedText
	}
	return fmt.Sprint(k.Len())
}

func (g *Gateway) settingsText(changes []Change, err error) string {
	switch {
	case g.settings.File == "":
		return "no file"
	case err != nil:
		return rejectedText
	}
	text, waiting := "unchanged", len(g.settings.status().Waiting)
	if len(changes) > 0 {
		text = fmt.Sprintf("%d changed", len(changes))
	}
	if waiting > 0 {
		text += fmt.Sprintf(", %d waiting for a restart", waiting)
	}
	return text
}
