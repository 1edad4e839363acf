package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certify writes a self-signed certificate for name, and its key.
func certify(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: b}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTheCertificateThatItsFilesHoldIsUsed(t *testing.T) {
	dir := t.TempDir()
	cert, key := certify(t, dir, "one.test")
	c, err := LoadCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(o *Options) { o.Certificate = c })
	f := func(want string) net.Conn {
		t.Helper()
		conn, err := tls.Dial("tcp", g.publicAddr, &tls.Config{InsecureSkipVerify: true}) // its name is looked at here
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; got != want {
			t.Errorf("the certificate is for %s, want %s", got, want)
		}
		return conn
	}
	first := f("one.test")
	certify(t, dir, "two.test")
	if changed, err := c.Reload(); !changed || err != nil {
		t.Errorf("got %v, %v", changed, err)
	}
	f("two.test")
	if _, err := io.WriteString(first, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Error(err)
	}
	buf := make([]byte, 64)
	if n, err := first.Read(buf); err != nil || !strings.Contains(string(buf[:n]), " 200 ") {
		t.Errorf("the connection that was there gets %q, %v", buf[:n], err)
	}
	if err := os.WriteFile(key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := c.Reload(); changed || err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v, %v", changed, err)
	}
	if changed, err := c.Reload(); changed || err == nil {
		t.Errorf("what is wrong is not said again: %v, %v", changed, err)
	}
	f("two.test")
	unread := func(cert, key, want string) {
		t.Helper()
		if _, err := LoadCertificate(cert, key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	none := filepath.Join(dir, "none.pem")
	unread(none, key, "certificate: "+none+": no such file")
	unread(cert, none, "key of the certificate: "+none+": no such file")
	unread(os.DevNull, key, "not a regular file")
	unread(cert, os.DevNull, "not a regular file")
}

func TestOldProtocolsArePassedOver(t *testing.T) {
	c, err := LoadCertificate(certify(t, t.TempDir(), "one.test"))
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(o *Options) { o.Certificate = c })
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", g.publicAddr, old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	conn, err := tls.Dial("tcp", g.publicAddr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
		t.Errorf("the protocol is %q", got)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} { // not TLS
		request, err := http.NewRequest(method, "http://"+g.publicAddr+"/healthz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("plain HTTP is not answered: %v", err)
			continue
		}
		text, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if r.StatusCode != http.StatusBadRequest || string(text) != "this address speaks TLS: use https:// and wss://\n" || err != nil || !r.Close {
			t.Errorf("plain HTTP is answered with %s, %q, %v", r.Status, text, err)
		}
	}
	// What is no request gets nothing.
	junk, err := net.Dial("tcp", g.publicAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer junk.Close()
	_, _ = io.WriteString(junk, "\x00\x01\x02\x03\x04\x05")
	if text, _ := io.ReadAll(junk); strings.Contains(string(text), "HTTP") {
		t.Errorf("junk is answered with %q", text)
	}
}
