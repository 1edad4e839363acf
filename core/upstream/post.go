package upstream

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// The headers of a post. The signature is over the timestamp, a dot and the body:
// who has the secret refuses what is not signed with it, or signed long ago.
const (
	headerUpstream = "Stratix-Upstream"
	headerAttempt  = "Stratix-Attempt"
	headerTime     = "Stratix-Timestamp" // seconds since 1970
	headerSign     = "Stratix-Signature" // sha256= and the HMAC-SHA256 in hexadecimal
)

// maxRetryAfter bounds the pause that an upstream asks for.
const maxRetryAfter = 10 * time.Minute

// kind is how a post went.
type kind uint8

const (
	taken     kind = iota // 2xx
	rejected              // it would be refused each time
	throttled             // 429
	timedOut              // no reply in time
	failed                // 5xx, 408, or no connection
	kinds
)

func (k kind) String() string {
	return [...]string{"ok", "rejected", "throttled", "timeout", "failed"}[k%kinds]
}

// answer is what an upstream said to one post.
type answer struct {
	kind    kind
	content bool          // it is rejected for what is in it: parts of it may be taken
	reason  string        // unless it is taken
	after   time.Duration // for which nothing is to be posted
	body    []byte        // of 2xx
	bad     string        // why the body of 2xx is of no use
}

// bodyOf is a JSON array of the posts.
func bodyOf(batch []*core.Post) []byte {
	size := 2
	for _, p := range batch {
		size += len(p.Body) + 1
	}
	body := append(make([]byte, 0, size), '[')
	for i, p := range batch {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, p.Body...)
	}
	return append(body, ']')
}

// post makes one HTTP request.
func (u *Upstream) post(body []byte, try int) answer {
	ctx, cancel := context.WithTimeout(u.ctx, u.settings.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.settings.URL, bytes.NewReader(body))
	if err != nil {
		return answer{kind: rejected, reason: "the request cannot be made"} // the URL was checked
	}
	for name, value := range u.settings.Headers {
		req.Header.Set(name, value)
	}
	h := req.Header
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "stratix-gateway")
	}
	h.Set("Content-Type", "application/json")
	h.Set(headerUpstream, u.name)
	h.Set(headerAttempt, strconv.Itoa(try))
	if u.secret != nil {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		h.Set(headerTime, at)
		h.Set(headerSign, "sha256="+sign(u.secret, at, body))
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return u.broken(err)
	}
	defer resp.Body.Close()
	return u.read(resp)
}

// sign is the HMAC-SHA256 of a body that is posted at a time.
func sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// read judges a response.
func (u *Upstream) read(resp *http.Response) answer {
	code := resp.StatusCode
	reason := "it answered " + strconv.Itoa(code)
	if text := http.StatusText(code); text != "" {
		reason += " " + text
	}
	if code/100 == 2 {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
		switch {
		case err != nil:
			return u.broken(fmt.Errorf("its reply broke off: %w", err))
		case len(body) > maxReply:
			return answer{bad: fmt.Sprintf("its reply was longer than %d bytes and was not read", maxReply)}
		}
		return answer{body: body}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 16<<10) // so that the connection can be used again
	after := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	switch {
	case code == http.StatusTooManyRequests:
		return answer{kind: throttled, reason: reason, after: after}
	case code == http.StatusRequestTimeout, code >= 500:
		return answer{kind: failed, reason: reason, after: after}
	case code/100 == 3:
		reason += ": redirects are not followed"
	}
	content := code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge || code == http.StatusUnprocessableEntity
	return answer{kind: rejected, content: content, reason: reason}
}

// broken judges a request without a response. The error of net/http would show
// the whole URL.
func (u *Upstream) broken(err error) answer {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return answer{kind: timedOut, reason: "no answer within " + u.settings.Timeout.String()}
	}
	return answer{kind: failed, reason: "the post failed: " + err.Error()}
}

// retryAfter reads the header of this name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}
