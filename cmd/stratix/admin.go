package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// adminFlag is the flag of every command that asks a running gateway.
type adminFlag struct {
	Admin string `help:"Operators' address of the running gateway: HOST:PORT or unix:PATH." default:"127.0.0.1:8081" env:"STRATIX_ADMIN"`
	Key   string `help:"Key or token (JWT) for it, where the gateway wants one (serve --keys, --api-jwks) and this is no unix socket; better in the environment, where no list of processes shows it." placeholder:"sk_..." env:"STRATIX_KEY"`
}

const (
	adminDial  = 5 * time.Second
	adminReply = 30 * time.Second // for what the gateway answers at once
	maxProblem = 1 << 20          // bytes that are read of an error
)

// adminError is an answer of the gateway that is no success. Text is what it
// says; it may have several lines.
type adminError struct {
	Status int
	Text   string
}

func (e *adminError) Error() string { return e.Text }

// get asks the gateway. The caller closes the answer's body, which lasts as long
// as ctx. An answer that is no success is an *adminError.
func (a adminFlag) get(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	return a.ask(ctx, http.MethodGet, path, query, nil)
}

// post is get with the method POST; body may be nil.
func (a adminFlag) post(ctx context.Context, path string, query url.Values, body io.Reader) (*http.Response, error) {
	return a.ask(ctx, http.MethodPost, path, query, body)
}

func (a adminFlag) ask(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	network, addr := "tcp", a.Admin
	if file, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", file
	}
	host := addr
	switch {
	case a.Admin == "off":
		return nil, errors.New("--admin is off: without an operators' address a running gateway cannot be asked")
	case network == "unix":
		host = "localhost"
	default:
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("--admin %s is no address: write HOST:PORT or unix:PATH", a.Admin)
		}
	}
	u := url.URL{Scheme: "http", Host: host, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("--admin %s: %w", a.Admin, err)
	}
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	dialer := net.Dialer{Timeout: adminDial}
	client := http.Client{Transport: &http.Transport{ // no proxy: the gateway is on this machine
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		},
		DisableKeepAlives: true,
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, a.explain(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, a.refused(resp)
}

// getJSON asks for an answer that comes at once, and decodes it.
func (a adminFlag) getJSON(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, adminReply)
	defer cancel()
	resp, err := a.get(ctx, path, query)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return a.decode(resp, into)
}

func (a adminFlag) decode(resp *http.Response, into any) error {
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("the answer of %s to %s cannot be read: %w", a.Admin, resp.Request.URL.Path, err)
	}
	return nil
}

// change asks the gateway to change its scripts, and returns how it is then. What it
// refuses with the given status is an error that begins with refused.
func (a adminFlag) change(ctx context.Context, path string, query url.Values, status int, refused string) (*gateway.Status, error) {
	resp, err := a.post(ctx, path, query, nil)
	var no *adminError
	if errors.As(err, &no) && no.Status == status {
		return nil, fmt.Errorf("%s%w", refused, err)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	st := &gateway.Status{}
	return st, a.decode(resp, st)
}

// explain says what to do where no answer came.
func (a adminFlag) explain(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the method and the address
	}
	var dial *net.OpError
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("--admin %s: permission denied: run this as the user that the gateway runs as", a.Admin)
	case errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, context.Canceled):
		return fmt.Errorf("no gateway answers at %s: is it running, and is --admin the same? (%w)", a.Admin, dial.Err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the gateway at %s did not answer in time", a.Admin)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	}
	return fmt.Errorf("the gateway at %s broke off: %w", a.Admin, err)
}

// nothingThere is what both of a gateway's addresses say of an unknown path.
const nothingThere = "there is nothing at this path"

// refused makes an error of an answer that is no success.
func (a adminFlag) refused(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return a.explain(err)
	}
	var problem struct {
		Detail string `json:"detail"`
	}
	path := resp.Request.URL.Path
	switch err := json.Unmarshal(text, &problem); {
	case err != nil || problem.Detail == "":
		return &adminError{resp.StatusCode, fmt.Sprintf("what answers at %s is no Stratix gateway (%s got %s): is --admin right?", a.Admin, path, resp.Status)}
	case resp.StatusCode == http.StatusNotFound && problem.Detail == nothingThere:
		return &adminError{resp.StatusCode, fmt.Sprintf("there is no %s at %s: is that the address of --admin, and is the gateway as new as this command?", path, a.Admin)}
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return &adminError{resp.StatusCode, problem.Detail + "; commands take it from STRATIX_KEY or --key"}
	}
	return &adminError{resp.StatusCode, problem.Detail}
}

// untilInterrupted is the context of a command: it ends with the first SIGINT or
// SIGTERM.
func untilInterrupted() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}
