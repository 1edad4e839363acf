package server

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

const deflate = "permessage-deflate"

// leaveHonourable reduces the offered extensions to the one that the library
// can honour, if that is agreed to, or removes them all, so that it declines: it takes anything that
// begins with permessage-deflate, and always answers with both
// no_context_takeover parameters and no window bits.
func leaveHonourable(h *fasthttp.RequestHeader, agree bool) bool {
	const name = "Sec-WebSocket-Extensions"
	// Several header lines are one list (RFC 6455, section 9.1).
	offered := string(bytes.Join(h.PeekAll(name), []byte(",")))
	h.Del(name)
	if !agree || !honourable(offered) {
		return false
	}
	h.Set(name, deflate)
	return true
}

// honourable reports whether a list of extension offers holds one for
// permessage-deflate that the library's answer accepts. A list that cannot be
// parsed holds none.
func honourable(list string) bool {
	found := false
	for s := skipSpace(list); ; s = skipSpace(s) {
		if rest, more := strings.CutPrefix(s, ","); more {
			s = rest // empty list elements are legal
			continue
		}
		if s == "" {
			return found
		}
		good, rest, ok := offer(s)
		if !ok {
			return false
		}
		found = found || good
		s = rest
	}
}

// offer parses one extension offer at the beginning of s. It says whether the
// offer is good, and what follows it: nothing, or a comma.
func offer(s string) (good bool, rest string, ok bool) {
	name, s := token(s)
	if name == "" {
		return false, "", false
	}
	good = name == deflate
	seen := map[string]bool{}
	for {
		s = skipSpace(s)
		if s == "" || s[0] == ',' {
			return good, s, true
		}
		if s[0] != ';' {
			return false, "", false
		}
		var key, value string
		if key, s = token(skipSpace(s[1:])); key == "" {
			return false, "", false
		}
		s = skipSpace(s)
		assigned := strings.HasPrefix(s, "=")
		if assigned {
			if value, s, ok = tokenOrQuoted(skipSpace(s[1:])); !ok {
				return false, "", false
			}
		}
		good = good && !seen[key] && honourableParameter(key, value, assigned)
		seen[key] = true
	}
}

// honourableParameter follows section 7.1 of RFC 7692. A server_max_window_bits
// has to be answered, which the library cannot do; client_max_window_bits is a
// hint and may go unanswered.
func honourableParameter(key, value string, assigned bool) bool {
	switch key {
	case "server_no_context_takeover", "client_no_context_takeover":
		return !assigned
	case "client_max_window_bits":
		return !assigned || windowBits(value)
	}
	return false
}

// windowBits reports whether value is a decimal from 8 to 15 without leading
// zeros.
func windowBits(value string) bool {
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

func skipSpace(s string) string { return strings.TrimLeft(s, " \t") }

// token splits a token (RFC 9110, section 5.6.2) off s; "" if there is none.
func token(s string) (tok, rest string) {
	n := 0
	for n < len(s) && isTokenByte(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// tokenOrQuoted splits a token or a quoted string off s and returns its value,
// which is a token in both cases (RFC 6455, section 9.1).
func tokenOrQuoted(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest = token(s)
		return value, rest, value != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			value = b.String()
			_, odd := token(value)
			return value, s[i+1:], value != "" && odd == ""
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
