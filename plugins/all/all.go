// Package all links every plugin into the program that imports it. A plugin is
// one folder and one line here.
package all

import (
	_ "github.com/stratix-gateway/stratix/plugins/disk"      // stage.disk
	_ "github.com/stratix-gateway/stratix/plugins/jwt"       // stage.jwt
	_ "github.com/stratix-gateway/stratix/plugins/prefix"    // stage.prefix
	_ "github.com/stratix-gateway/stratix/plugins/ratelimit" // stage.ratelimit
	_ "github.com/stratix-gateway/stratix/plugins/ring"      // stage.ring
)
