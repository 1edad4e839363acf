package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core/file"
)

// Certificate is a certificate with its key, of two PEM files that may change
// while they are used. Its methods are safe from any goroutine.
type Certificate struct {
	cert, key string // paths
	current   atomic.Pointer[tls.Certificate]

	mu  sync.Mutex // guards what follows
	sum [32]byte   // of what the files held at the last look ...
	bad error      // ... and what is wrong with that
}

// LoadCertificate reads a certificate chain, leaf first, and its key.
func LoadCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key}
	if _, err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload looks at the files. What they hold is used by the handshakes from now
// on, if it is a certificate with its key; else an error says what is wrong, and the
// one before stays.
func (c *Certificate) Reload() (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	chain, _, err := file.Read(c.cert)
	if err != nil {
		return false, fmt.Errorf("certificate: %w", err)
	}
	key, _, err := file.Read(c.key)
	if err != nil {
		return false, fmt.Errorf("key of the certificate: %w", err)
	}
	sum := sha256.Sum256(bytes.Join([][]byte{chain, key}, []byte{0}))
	if sum == c.sum {
		return false, c.bad
	}
	c.sum = sum
	c.bad = c.use(chain, key)
	return c.bad == nil, c.bad
}

// use makes the content of the files the current certificate.
func (c *Certificate) use(chain, key []byte) error {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.cert, c.key, err)
	}
	if pair.Leaf == nil { // so before Go 1.23
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return fmt.Errorf("certificate %s: %w", c.cert, err)
		}
	}
	c.current.Store(&pair)
	return nil
}

// Until is when the certificate is over.
func (c *Certificate) Until() time.Time { return c.current.Load().Leaf.NotAfter }

// Names are whom the certificate is for.
func (c *Certificate) Names() []string {
	leaf := c.current.Load().Leaf
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// secure is a TLS connection that tells who speaks plain HTTP what is wrong.
type secure struct{ *tls.Conn }

// Read answers a request that came without TLS: its first bytes are no record.
func (c *secure) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	var bad tls.RecordHeaderError
	if err != nil && errors.As(err, &bad) && bad.Conn != nil && isMethod(bad.RecordHeader[:]) {
		_, _ = io.WriteString(bad.Conn, answerPlain) // fits into the empty buffer of a new socket
	}
	return n, err
}

// isMethod reports whether a request may begin so.
func isMethod(begin []byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH"} {
		if string(begin) == method {
			return true
		}
	}
	return false
}

const answerPlain = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 49\r\n\r\n" +
	"this address speaks TLS: use https:// and wss://\n"

// config is that of the server. WebSocket runs on HTTP/1.1.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}
