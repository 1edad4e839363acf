package server

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
)

// quiet is fasthttp's log: what strangers send wrong is of interest when
// debugging only, and never in their words: these may be a key or a token.
type quiet struct{ log *slog.Logger }

// quoted is what an error of fasthttp cites.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

func (q quiet) Printf(format string, args ...any) {
	if !q.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	told := make([]any, len(args))
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			arg = quoted.ReplaceAllString(err.Error(), `"..."`)
		}
		told[i] = arg
	}
	q.log.Debug("http: " + fmt.Sprintf(format, told...))
}
