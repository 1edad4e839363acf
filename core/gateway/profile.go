package gateway

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/stratix-gateway/stratix/core/profile"
)

// profile samples the scripts until ctx ends.
func (g *Gateway) profile(ctx context.Context, format profile.Format) ([]byte, error) {
	p := profile.Profile{Began: time.Now(), Folder: g.dir}
	p.Shards = g.shards.Profile(ctx)
	p.Took = time.Since(p.Began)
	if len(p.Shards) == 0 {
		return nil, errors.New("the gateway has shut down")
	}
	var b bytes.Buffer
	err := p.Write(&b, format)
	return b.Bytes(), err
}
