package server

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
)

// Page is a part of a list that is in the order of its names.
type Page struct {
	Prefix string // that they begin with
	After  string // the name that they come after; "" begins with the first
	Limit  int
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// query is the parameters of a request, each known and there once.
type query map[string]string

// queryOf reads the query; false if it has answered what is wrong with it.
func queryOf(ctx *fasthttp.RequestCtx) (values url.Values, ok bool) {
	values, err := url.ParseQuery(string(ctx.URI().QueryString()))
	if err != nil {
		problem(ctx, fasthttp.StatusBadRequest, "the query cannot be read: "+err.Error())
	}
	return values, err == nil
}

// known reads a query of these parameters; false if it has answered what is wrong
// with it.
func known(ctx *fasthttp.RequestCtx, names ...string) (q query, ok bool) {
	q, err := readQuery(ctx, names...)
	if err != nil {
		fail(ctx, err)
	}
	return q, err == nil
}

// readQuery reads a query of these parameters.
func readQuery(ctx *fasthttp.RequestCtx, names ...string) (query, error) {
	values, err := url.ParseQuery(string(ctx.URI().QueryString()))
	if err != nil {
		return nil, fmt.Errorf("the query cannot be read: %w", err)
	}
	q := query{}
	for name, all := range values {
		switch {
		case !slices.Contains(names, name):
			return nil, fmt.Errorf("unknown parameter %q: this path takes %s", name, strings.Join(names, ", "))
		case len(all) != 1:
			return nil, fmt.Errorf("%s is given more than once", name)
		}
		q[name] = all[0]
	}
	return q, nil
}

// number reads a whole number from low to high.
func (q query) number(name string, otherwise, low, high int) (int, error) {
	text, given := q[name]
	if !given {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%s must be a whole number from %d to %d, not %q", name, low, high, text)
	}
	return n, nil
}

// pageOf reads which part of a list is asked for; false if it has answered what is
// wrong with that.
func pageOf(ctx *fasthttp.RequestCtx) (p Page, ok bool) {
	q, ok := known(ctx, "prefix", "after", "limit")
	if !ok {
		return p, false
	}
	limit, err := q.number("limit", defaultLimit, 1, maxLimit)
	for _, name := range []string{"prefix", "after"} {
		if wrong := core.CheckName(q[name], core.MaxClientID); err == nil && q[name] != "" && wrong != "" {
			err = fmt.Errorf("%s %s", name, wrong)
		}
	}
	if err != nil {
		fail(ctx, err)
		return p, false
	}
	return Page{Prefix: q["prefix"], After: q["after"], Limit: limit}, true
}
