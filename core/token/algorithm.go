package token

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core"
)

// Algorithms are those that tokens can be signed with, none of which is "none".
var Algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// CheckAlgorithm says what is wrong with the name of an algorithm.
func CheckAlgorithm(name string) error {
	switch {
	case slices.Contains(Algorithms, name):
		return nil
	case strings.EqualFold(name, "none"):
		return fmt.Errorf("%q would let everybody in: a token without a signature says nothing", name)
	}
	hint := ""
	if near := core.Nearest(name, Algorithms); near != "" {
		hint = `; did you mean "` + near + `"?`
	}
	return fmt.Errorf("unknown algorithm %.40q%s", name, hint)
}
