package server

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/valyala/fasthttp"
)

// requestID names a request: what its sender says, or else what the gateway makes
// up. It is in the answer, and in its problem.
const requestID = "X-Request-Id"

// maxRequestID bounds what a sender may say, in bytes.
const maxRequestID = 64

func nameRequest(ctx *fasthttp.RequestCtx) {
	id := ctx.Request.Header.Peek(requestID)
	if !plainID(id) {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		id = hex.AppendEncode(nil, b[:])
	}
	ctx.Response.Header.SetBytesV(requestID, id)
}

// plainID reports whether id may stand in a header and in a log.
func plainID(id []byte) bool {
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return len(id) > 0 && len(id) <= maxRequestID
}
