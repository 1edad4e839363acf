package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Bounds on getting a key set.
const (
	maxSet       = 1 << 20         // bytes
	fetchTime    = 5 * time.Second // from the name to the last byte
	maxRedirects = 3
)

// CheckURL refuses an address that others could answer for.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return errors.New(`expected a URL such as "https://issuer.example.com/.well-known/jwks.json"`)
	}
	if u.User != nil || u.Fragment != "" {
		return errors.New("the URL has a user or a fragment")
	}
	return checkScheme(u)
}

func checkScheme(u *url.URL) error {
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u) {
		return nil
	}
	return errors.New("keys come over https only, but from this machine: whoever is on the way could let anybody in")
}

func isLoopback(u *url.URL) bool {
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// fetcher gets key sets.
var fetcher = newFetcher()

func newFetcher() *http.Client {
	dialer := &net.Dialer{Timeout: fetchTime}
	return &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // the next one is minutes away
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			if isLoopback(r.URL) && !isLoopback(via[0].URL) {
				return errors.New("it redirects to this machine")
			}
			return checkScheme(r.URL)
		},
	}
}

// fetch gets the key set at an address, and says for how long it may be used. Its
// errors hold nothing of the answer.
func fetch(ctx context.Context, address string) (all Keys, age time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	request.Header.Set("User-Agent", "stratix")
	answer, err := fetcher.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the address is said already
		}
		return nil, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("the answer is %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSet+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read the key set: %w", err)
	}
	if len(text) > maxSet {
		return nil, 0, fmt.Errorf("the key set is larger than %v", core.Bytes(maxSet))
	}
	all, err = parseSet(text, false)
	return all, lifetime(answer.Header.Get("Cache-Control")), err
}

// Bounds on how long a key set is used before it is fetched again.
const (
	minAge     = time.Minute
	defaultAge = 15 * time.Minute
	maxAge     = 24 * time.Hour
)

// lifetime reads a Cache-Control header.
func lifetime(header string) time.Duration {
	for directive := range strings.SplitSeq(strings.ToLower(header), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return minAge
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 32)
			if err != nil {
				continue
			}
			return min(max(time.Duration(seconds)*time.Second, minAge), maxAge)
		}
	}
	return defaultAge
}
