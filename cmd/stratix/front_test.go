package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
)

// whoAmI sends each client the address that the gateway knows it by.
const whoAmI = `
pipeline { function(msg) msg:reply { from = msg:from(), ip = stratix.kv.get(msg:from()) } end }
function on_connect(conn) stratix.kv.set(conn:id(), conn:address()) end
`

// selfSigned writes a certificate for localhost and its key.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	save(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	save(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})))
	return cert, key
}

// ask sends a message and returns the reply to it.
func ask(t *testing.T, c *websocket.Conn, n int) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if err := c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":0,"messageId":"m%d","data":1}`, n)); err != nil {
		t.Fatal(err)
	}
	_, reply, err := c.ReadMessage()
	if err == nil {
		_, _, err = c.ReadMessage() // the acknowledgement
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(reply)
}

func TestARenewedCertificateDropsNobody(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	r := runGateway(t, map[string]string{"main.lua": whoAmI}, func(c *serveCmd) { c.TLSCert, c.TLSKey = cert, key })
	serial := func() string {
		conn, err := tls.Dial("tcp", r.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	c, _, err := dialer.Dial("wss://"+r.Addr().String()+"/ws?clientId=c1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := range 20 {
		ask(t, c, n)
	}
	selfSigned(t, dir)
	r.RenewCertificate()
	if serial() == before {
		t.Error("the new certificate is not used")
	}
	for n := range 20 {
		ask(t, c, 100+n)
	}
	save(t, key, "nonsense")
	r.RenewCertificate()
	r.RenewCertificate()
	if n := strings.Count(r.log.String(), "the new certificate is not used"); n != 1 {
		t.Errorf("a broken key is in the log %d times", n)
	}
	ask(t, c, 200)
}

// nginxLimits are what the shipped nginx.conf says that belongs elsewhere.
var nginxLimits = regexp.MustCompile(`(?m)^#   (worker_rlimit_nofile .*)\n#   (events .*)$`)

func TestNginxInFront(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if sbin := "/usr/sbin/nginx"; err != nil { // where Debian has it, and not everybody looks
		nginx, err = exec.LookPath(sbin)
	}
	if err != nil {
		t.Skip("there is no nginx; apt-get install nginx-light")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // for the user that nginx becomes
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "clients.sock")
	runGateway(t, map[string]string{"main.lua": whoAmI}, func(c *serveCmd) {
		c.Listen, c.TrustedProxies = "unix:"+socket+",mode=666", []string{"unix"}
	})
	cert, key := selfSigned(t, dir)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	shipped, err := os.ReadFile("../../examples/deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	site := strings.NewReplacer(
		"listen 443 ssl", "listen "+addr+" ssl",
		"/etc/letsencrypt/live/GATEWAY.EXAMPLE.COM/fullchain.pem", cert,
		"/etc/letsencrypt/live/GATEWAY.EXAMPLE.COM/privkey.pem", key,
		"GATEWAY.EXAMPLE.COM", "localhost",
		"/run/stratix/clients.sock", socket,
	).Replace(string(shipped))
	limits := nginxLimits.FindSubmatch(shipped)
	if limits == nil {
		t.Fatal("nginx.conf does not say what a worker may have open")
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // the folders of tests are for their owner only
	}
	main := filepath.Join(dir, "nginx.conf")
	save(t, main, user+fmt.Sprintf("daemon off;\npid %s/nginx.pid;\nerror_log stderr;\n%s\n%s\nhttp {\naccess_log off;\nclient_body_temp_path %s/b;\nproxy_temp_path %s/p;\nfastcgi_temp_path %s/f;\nuwsgi_temp_path %s/u;\nscgi_temp_path %s/s;\n%s\n}\n",
		dir, limits[1], limits[2], dir, dir, dir, dir, dir, site))
	proxy := exec.Command(nginx, "-c", main, "-e", "stderr")
	log := &journal{}
	proxy.Stdout, proxy.Stderr = log, log
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = proxy.Process.Signal(os.Interrupt)
		_ = proxy.Wait()
		if t.Failed() {
			t.Logf("nginx:\n%s", log)
		}
	})
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		answer, err := client.Get("https://" + addr + "/healthz")
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("nginx does not answer: %v\n%s", err, log)
		}
	}
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	c, _, err := dialer.Dial("wss://"+addr+"/ws?clientId=c1", http.Header{"X-Forwarded-For": {"6.6.6.6"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := range 50 {
		if reply := ask(t, c, n); !strings.Contains(reply, `"ip":"127.0.0.1"`) {
			t.Fatalf("the gateway knows the client as %s", reply)
		}
	}
	// More than an nginx that was told nothing has room for.
	for n := range 500 {
		c, _, err := dialer.Dial(fmt.Sprintf("wss://%s/ws?clientId=many-%d", addr, n), nil)
		if err != nil {
			t.Fatalf("client %d: %v", n, err)
		}
		defer c.Close()
	}
	// What is not for clients is not reached through it.
	for _, path := range []string{"/metrics", "/v1/status", "/console"} {
		answer, err := client.Get("https://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s is answered with %s", path, answer.Status)
		}
	}
}
