package server

import (
	"bytes"
	"fmt"
	"net/url"

	"github.com/valyala/fasthttp"
)

// maxFields bounds the header fields of a request.
const maxFields = 100

// ambiguous says why others on the way, such as a proxy, may read a request
// otherwise than we do, and think that it ends elsewhere; "" for a clear one.
// fasthttp takes more shapes than RFC 9112 lets a server take, and makes do with
// them. Whoever sends one gets this answer and no other on the connection.
func ambiguous(h *fasthttp.RequestHeader) (status int, wrong string) {
	status = fasthttp.StatusBadRequest
	if p := string(h.Protocol()); p != "HTTP/1.1" && p != "HTTP/1.0" {
		return fasthttp.StatusHTTPVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here"
	}
	fields, lengths, codings, hosts := 0, 0, 0, 0
	for rest := h.RawHeaders(); len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		rest = after
		line, crlf := bytes.CutSuffix(line, []byte("\r"))
		if len(line) == 0 && crlf && len(rest) == 0 {
			break // the empty line at the end
		}
		name, value, colon := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		switch {
		case !whole || !crlf || bytes.IndexByte(line, '\r') >= 0:
			return status, "a header line does not end with CR LF"
		case len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t'):
			return status, "a header goes on in a second line"
		case !colon || !isToken(name):
			return status, "the name of a header holds what no name may"
		}
		switch fields++; {
		case fields > maxFields:
			return fasthttp.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("there are more than %d headers", maxFields)
		case bytes.EqualFold(name, []byte(fasthttp.HeaderContentLength)):
			lengths++
		case bytes.EqualFold(name, []byte(fasthttp.HeaderTransferEncoding)):
			if codings++; !bytes.EqualFold(value, []byte("chunked")) {
				return fasthttp.StatusNotImplemented, "the only Transfer-Encoding that is understood is chunked"
			}
		case bytes.EqualFold(name, []byte(fasthttp.HeaderHost)):
			hosts++
		}
	}
	switch {
	case lengths+codings > 1:
		return status, "Content-Length and Transfer-Encoding are there together, or twice"
	case hosts != 1 && (hosts > 1 || h.IsHTTP11()):
		return status, "there must be one Host"
	case !agrees(h):
		return status, "the request line names another host than Host does"
	}
	return 0, ""
}

// agrees reports whether a request line that names a host names the one in Host.
func agrees(h *fasthttp.RequestHeader) bool {
	uri := h.RequestURI()
	if len(uri) == 0 || uri[0] == '/' || string(uri) == "*" {
		return true
	}
	u, err := url.Parse(string(uri))
	return err == nil && u.User == nil && u.Host != "" && bytes.EqualFold([]byte(u.Host), h.Host())
}

// isToken reports whether name may be that of a header (RFC 9110, 5.6.2).
func isToken(name []byte) bool {
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0:
		default:
			return false
		}
	}
	return len(name) > 0
}
