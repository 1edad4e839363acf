package gateway

import (
	"context"
	"strings"
	"time"
)

const (
	// certificateEvery is how often the files of the certificate are looked at.
	certificateEvery = 5 * time.Second
	// certificateSoon is how long before its end a certificate is warned of, once a
	// day.
	certificateSoon = 14 * 24 * time.Hour
)

// watchCertificate uses a new certificate as soon as its files hold it, and warns
// of one that is nearly over.
func (g *Gateway) watchCertificate(ctx context.Context) {
	c := g.opt().Certificate
	if c == nil {
		return
	}
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	warned := time.Time{}
	for {
		if left := time.Until(c.Until()); left < certificateSoon && time.Since(warned) >= 24*time.Hour {
			warned = time.Now()
			g.log.Warn("the certificate is nearly over: put a new one into its files, which are looked at every few seconds", "until", c.Until())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, _ = g.RenewCertificate() // noted there
		}
	}
}

// RenewCertificate looks at the files of the certificate now, and reports whether there
// is a new one in use.
func (g *Gateway) RenewCertificate() (changed bool, err error) {
	c := g.opt().Certificate
	if c == nil {
		return false, nil
	}
	switch changed, err = c.Reload(); {
	case err != nil:
		text := err.Error()
		if last := g.certificateError.Swap(&text); last == nil || *last != text {
			g.log.Error("the new certificate is not used: the one before stays", "error", err, "until", c.Until())
		}
	case changed:
		g.certificateError.Store(nil)
		g.log.Info("the certificate is renewed: new connections have it", "names", strings.Join(c.Names(), " "), "until", c.Until())
	case g.certificateError.Swap(nil) != nil:
		g.log.Info("the files of the certificate hold what is in use again", "until", c.Until())
	}
	return changed, err
}
