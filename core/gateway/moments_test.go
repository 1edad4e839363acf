package gateway

import "testing"

// What operators do in bad moments.

func TestAGatewayEndsWhileItsScriptsAreOnTrial(t *testing.T) {
	r := serve(t, made{Name: "old"}, nil)
	if err := r.save(made{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	r.stop() // says it, if it does not
}
